/** Which test runs which lines of the seed, as they stand there. By file, then the test's title, then the block of the text. */
export const LEDGER: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>>> = {
  "jenkins.test.ts": {
    "a simulation goes through every stage and changes nothing": {
      "JENKINSFILE AUTOPATCH": [
        'sh "${AUTOPATCH_HOME}/autopatch-manager.sh show-status --format=json > system-status.json"',
        'sh "${AUTOPATCH_HOME}/download.sh ${dryRunFlag} --verbose"',
        "archiveArtifacts artifacts: '/var/log/autopatch/download_summary_*.txt',",
        "cd /var/tmp/autopatch",
      ],
    },
    "a deployment downloads, tells of critical packages, audits, backs up, installs and reports": {
      "JENKINSFILE AUTOPATCH": [
        'if grep -q "apache2\\\\|nginx\\\\|mysql\\\\|postgresql" /var/tmp/autopatch/packages_to_install.log; then',
        "${AUTOPATCH_HOME}/rollback.sh --audit-report --format=json > security-audit.json",
        "reportDir: '/var/tmp/autopatch',",
        'sh "${AUTOPATCH_HOME}/install.sh ${backupFlag} ${dryRunFlag} --verbose"',
        "archiveArtifacts artifacts: '/var/log/autopatch/install_summary_*.txt',",
        "${AUTOPATCH_HOME}/autopatch-manager.sh show-status --detailed > final-status-report.txt",
      ],
    },
    "the failure block puts the host back to what it was before the deployment": {
      "JENKINSFILE AUTOPATCH": [
        "${AUTOPATCH_HOME}/rollback.sh --restore-system \\$(readlink /var/tmp/autopatch_backups/latest) --force",
      ],
    },
    "what is always done archives the logs and leaves the workspace clean": {
      "JENKINSFILE AUTOPATCH": ["sh 'cp /var/log/autopatch/*.log . 2>/dev/null || true'"],
    },
  },
  "containers.test.ts": {
    "the Dockerfile's lines put the programs and the entrypoint in place": {
      "DOCKERFILE AUTOPATCH-ENABLED": [
        "COPY autopatch-*.sh /usr/local/bin/",
        "RUN chmod +x /usr/local/bin/autopatch-*.sh",
      ],
    },
    "the init container's dry run writes its summary into the mounted logs and changes no package": {
      "KUBERNETES DEPLOYMENT": [
        "command: ['/usr/local/bin/autopatch-manager.sh']",
        "args: ['full-update', '--backup', '--dry-run']",
        "mountPath: /var/log/autopatch",
      ],
    },
    "the entrypoint tells the status and starts the application; it updates only when it is told to": {
      "ENTRYPOINT SCRIPT": [
        "/usr/local/bin/autopatch-manager.sh show-status",
        "/usr/local/bin/autopatch-manager.sh auto-update --install --backup",
      ],
      "KUBERNETES DEPLOYMENT": ["mountPath: /var/tmp/autopatch_backups"],
    },
  },
  "disaster-recovery.test.ts": {
    "after a hardware failure the newest backup is found in the list and the whole system goes back to it": {
      "DISASTER RECOVERY PLAN": [
        "/usr/local/bin/autopatch-manager.sh show-status --detailed > disaster-assessment.log",
        "if [[ -d /var/tmp/autopatch_backups ]]; then",
        "local latest_backup=$(/usr/local/bin/rollback.sh --list-backups | grep \"backup_\" | tail -1 | awk '{print $2}')",
        '/usr/local/bin/rollback.sh --restore-system "$latest_backup" --force',
      ],
    },
    "corrupted data: services stand still, and the report names the altered file": {
      "DISASTER RECOVERY PLAN": ["/usr/local/bin/rollback.sh --verify-system > integrity-report.log"],
    },
    "a security breach: the host is locked down, and the release opens it again": {
      "DISASTER RECOVERY PLAN": ["/usr/local/bin/autopatch-manager.sh emergency-lockdown --full"],
    },
  },
  "replication.test.ts": {
    "replication by rsync and ssh: every replica is validated where it lies, on Sundays a restore is tried": {
      "AUTOMATED BACKUP REPLICATION": [
        "/var/tmp/autopatch_backups/ \\",
        'ssh "$dr_server" "find $dr_path -name \'backup_*\' -type d | xargs -I {} /usr/local/bin/rollback.sh --validate-backup {}"',
        'ssh "$dr_server" "/usr/local/bin/rollback.sh --restore-test --latest-backup"',
        "# 0 */6 * * * /usr/local/bin/backup-replication.sh dr-server.local /backup/autopatch",
      ],
    },
  },
  "cloud.test.ts": {
    "the Lambda's three commands update, go back and update again": {
      "LAMBDA FUNCTION FOR AUTOMATION": [
        "'auto-update': ['/usr/local/bin/autopatch-manager.sh auto-update --install --backup'],",
        "'full-update': ['/usr/local/bin/autopatch-manager.sh full-update --backup'],",
        "'rollback': ['/usr/local/bin/rollback.sh --restore-system $(readlink /var/tmp/autopatch_backups/latest)']",
      ],
    },
    "the metrics publisher's pipelines give what show-status says": {
      "CLOUDWATCH METRICS PUBLISHER": [
        'local backup_count=$(find /var/tmp/autopatch_backups -name "backup_*" -type d | wc -l)',
        'local security_violations=$(grep -c "SÉCURITÉ COMPROMISE" /var/log/autopatch/*.log || echo "0")',
      ],
    },
    "a launching instance is made ready, looks what is pending, publishes and continues": {
      "ASG LIFECYCLE HOOKS": [
        "/usr/local/bin/autopatch-manager.sh install --configure",
        "/usr/local/bin/autopatch-manager.sh auto-update --check",
      ],
    },
    "a terminating instance keeps a last backup, which the upload's pattern takes whole": {
      "ASG LIFECYCLE HOOKS": [
        "/usr/local/bin/install.sh --backup --force",
        "aws s3 sync /var/tmp/autopatch_backups/ \\",
      ],
    },
  },
  "installation.test.ts": {
    "user data installs AutoPatch on a fresh instance, and its daemon runs": {
      "USER DATA SCRIPT": [
        "wget https://releases.autopatch.local/latest/autopatch-bundle.tar.gz",
        "tar xzf autopatch-bundle.tar.gz",
        "sudo cp autopatch-*.sh /usr/local/bin/",
        "sudo chmod +x /usr/local/bin/autopatch-*.sh",
        "sudo /usr/local/bin/autopatch-manager.sh manage-daemon --install --enable",
      ],
    },
    "Terraform's document does, with the version that it is given": {
      "Terraform Module": [
        '"wget https://releases.autopatch.local/{{version}}/autopatch-bundle.tar.gz",',
        '"tar xzf autopatch-bundle.tar.gz",',
        '"cp autopatch-*.sh /usr/local/bin/",',
        '"chmod +x /usr/local/bin/autopatch-*.sh",',
        '"/usr/local/bin/autopatch-manager.sh manage-daemon --install --enable"',
      ],
    },
    "Ansible's four scripts in its folders: the first call of any brings the rest": {
      "Ansible Playbook": [
        "- /var/log/autopatch",
        "- /var/tmp/autopatch",
        "- /var/tmp/autopatch_backups",
        "- /etc/autopatch",
        'dest: "{{ autopatch_home }}/{{ item }}"',
        "dest: /etc/autopatch/autopatch.conf",
        "dest: /etc/logrotate.d/autopatch",
      ],
    },
  },
  "maintenance.test.ts": {
    "the seed's own maintenance script rotates, checks, cleans up and audits": {
      "MAINTENANCE AUTOMATION": [
        "logrotate -f /etc/logrotate.d/autopatch",
        "/usr/local/bin/autopatch-manager.sh show-status --health-check",
        "/usr/local/bin/rollback.sh --cleanup-backups --days 30",
        "/usr/local/bin/rollback.sh --audit-report --comprehensive",
      ],
    },
    "cron runs the seed's crontab lines: each maintenance reports, metrics are written, a healthy host is not complained of":
      {
        "CRONTAB MAINTENANCE": [
          "0 2 * * * /usr/local/bin/autopatch-maintenance.sh daily 60 >> /var/log/autopatch/maintenance.log 2>&1",
          "0 3 * * 0 /usr/local/bin/autopatch-maintenance.sh weekly 120 >> /var/log/autopatch/maintenance.log 2>&1",
          "0 4 1 * * /usr/local/bin/autopatch-maintenance.sh monthly 180 >> /var/log/autopatch/maintenance.log 2>&1",
        ],
        "PROMETHEUS EXPORTER": ["# Crontab: */5 * * * * /usr/local/bin/autopatch-prometheus-exporter.sh"],
      },
    "the health check's line complains once the newest backup cannot be used": {
      "CRONTAB MAINTENANCE": [
        '*/5 * * * * /usr/local/bin/autopatch-manager.sh show-status --health-check --quiet || echo "$(date): Health check failed" >> /var/log/autopatch/health.log',
      ],
    },
    "the exporter writes the metrics that the seed's script does, under the same names, with the same numbers": {
      "PROMETHEUS EXPORTER": [
        'echo "autopatch_backups_total $(find /var/tmp/autopatch_backups -name "backup_*" -type d | wc -l) $timestamp"',
        'local last_update=$(stat -c %Y /var/log/autopatch/autopatch-manager.log 2>/dev/null || echo "0")',
        'local violations=$(grep -c "SÉCURITÉ COMPROMISE" /var/log/autopatch/*.log 2>/dev/null || echo "0")',
        "local disk_usage=$(du -sb /var/tmp/autopatch* 2>/dev/null | awk '{sum+=$1} END {print sum+0}')",
      ],
    },
    "Ansible's jobs do the same maintenance": {
      "Ansible Playbook": [
        'job: "{{ autopatch_home }}/autopatch-maintenance.sh daily 60"',
        'job: "{{ autopatch_home }}/autopatch-maintenance.sh weekly 120"',
      ],
    },
  },
};
