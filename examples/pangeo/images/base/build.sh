#!/bin/bash
# build.sh OUT.tar SUITE: the root file system of the base image, from Debian.
#
#   SUITE               bookworm, trixie, ...
#   MIRROR              where packages come from (default http://deb.debian.org/debian)
#   SECURITY_MIRROR     and their security updates (default http://deb.debian.org/debian-security)
#   SOURCE_DATE_EPOCH   time of every file (default: 2026-01-01)
#
# The same mirror state gives the same bytes. For the same bytes next year, let
# both mirrors be snapshots: http://snapshot.debian.org/archive/debian/20260101T000000Z.
# Needs root and the Debian package mmdebstrap.
set -euo pipefail

if [ $# -ne 2 ]; then
    echo "usage: $0 OUT.tar SUITE" >&2
    exit 2
fi
out=$1
suite=$2
mirror=${MIRROR:-http://deb.debian.org/debian}
security=${SECURITY_MIRROR:-http://deb.debian.org/debian-security}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1767225600}

if ! command -v mmdebstrap >/dev/null; then
    echo "$0: mmdebstrap is not installed: apt-get install mmdebstrap" >&2
    exit 1
fi

# A half-written tarball must never look like a finished one.
partial=$out.partial
trap 'rm -f -- "$partial"' EXIT

mmdebstrap --quiet --variant=minbase --format=tar --dpkgopt=force-unsafe-io \
    --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/info/*' \
    --include=bash,bash-completion,ca-certificates,git,python3,python3-venv,s3fs,tini \
    --customize-hook='rm -rf "$1"/var/cache/ldconfig/aux-cache "$1"/var/lib/dpkg/*-old "$1"/var/log/*' \
    "$suite" "$partial" \
    "deb $mirror $suite main" "deb $security $suite-security main"

mv -- "$partial" "$out"
trap - EXIT
