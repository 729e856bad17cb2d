#!/bin/sh
# AutoPatch bundle: the manager beside this installs the package, whose own link then stands here instead.
[ -x @EXECUTABLE@ ] || "$(dirname "$0")/autopatch-manager.sh" --set-up || exit
exec @EXECUTABLE@ @PROGRAM@ "$@"
