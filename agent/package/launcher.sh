#!/bin/sh
exec @EXECUTABLE@ @PROGRAM@ "$@"
