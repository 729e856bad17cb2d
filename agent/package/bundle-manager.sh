#!/bin/sh
# AutoPatch bundle: the first call installs the package that follows the last line; its own link then stands here instead.
set -eu

complain() {
	echo "autopatch-manager.sh: $1" >&2
	exit "$2"
}

set_up() {
	[ "$(id -u)" = 0 ] || complain "the first call installs AutoPatch and must be made by root: run it with sudo" 4
	architecture=$(dpkg --print-architecture)
	case $architecture in
		amd64) from=@AMD64_FROM@ bytes=@AMD64_BYTES@ sha256=@AMD64_SHA256@ ;;
		arm64) from=@ARM64_FROM@ bytes=@ARM64_BYTES@ sha256=@ARM64_SHA256@ ;;
		*) complain "this bundle is for amd64 and arm64, this host is $architecture" 4 ;;
	esac
	[ "$bytes" -gt 0 ] || complain "this bundle was built without $architecture" 4
	folder=$(mktemp -d /var/tmp/autopatch-setup.XXXXXX)
	trap 'rm -rf "$folder"' EXIT
	package=$folder/autopatch_@VERSION@_$architecture.deb
	tail -c "+$from" "$0" | head -c "$bytes" >"$package"
	echo "$sha256  $package" | sha256sum --check --status ||
		complain "$0 is cut or altered: the package in it is not the one it was built with; fetch the bundle again" 8
	DEBIAN_FRONTEND=noninteractive apt-get --quiet --yes --no-install-recommends --reinstall \
		-o APT::Sandbox::User=root -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold \
		install "$package" >&2 </dev/null || complain "apt-get could not install the package; read its words above" 10
	rm -rf "$folder"
	trap - EXIT
}

# A newer package is not replaced by this older one.
installed=$(dpkg-query --show --showformat='${db:Status-Status} ${Version}' autopatch 2>/dev/null || true)
case $installed in
	installed\ *) dpkg --compare-versions "${installed#* }" gt "@VERSION@" || set_up ;;
	*) set_up ;;
esac
[ "${1-}" != --set-up ] || exit 0
exec @EXECUTABLE@ manager "$@"
exit
