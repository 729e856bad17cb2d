/** autopatch.conf as it is shipped: every key with its default, all commented out. */
export const DEFAULT_CONFIG = `# AutoPatch on this host. Every key is optional; what stands here is its default.
# This file must belong to root and be writable by root alone.

# debug, info, warn or error
#AUTOPATCH_LOG_LEVEL=info

# Backups before each change, and how many days they are kept.
#AUTOPATCH_BACKUP_ENABLED=true
#AUTOPATCH_BACKUP_RETENTION_DAYS=30

# For commands typed on this host; a run brings its own.
#AUTOPATCH_CRITICAL_PACKAGES="apache2 nginx mysql postgresql"
#AUTOPATCH_CONFFILES=keep
#AUTOPATCH_SECURITY_ONLY=false
# Names, or globs such as linux-*; an empty AUTOPATCH_ALLOW allows everything.
#AUTOPATCH_ALLOW=""
#AUTOPATCH_DENY=""
# Days since this host first saw an update.
#AUTOPATCH_MINIMUM_AGE_DAYS=0
#AUTOPATCH_LOCK_WAIT_SECONDS=300
#AUTOPATCH_MINIMUM_FREE_PERCENT=20
#AUTOPATCH_MAXIMUM_METADATA_AGE_DAYS=400

# Where the instance's metadata and SSM do not say it, or say it wrong:
#AWS_REGION=eu-west-3
#AWS_ENDPOINT_URL=https://vpce-0123456789abcdef0.example
#AWS_EC2_METADATA_SERVICE_ENDPOINT=http://169.254.169.254
`;
