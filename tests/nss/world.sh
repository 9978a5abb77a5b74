#!/bin/sh
# Makes a network and an /etc of its own, within `unshare -rnm`, and runs a command there: loopback
# alone, and files that may be rewritten in place, bound over those of the machine. They stand in
# $OUTRACE_NSS/etc.
set -eu
ip link set lo up
mkdir -p "$OUTRACE_NSS/etc"
for file in nsswitch.conf resolv.conf hosts host.conf; do
  : >"$OUTRACE_NSS/etc/$file"
  mount --bind "$OUTRACE_NSS/etc/$file" "/etc/$file"
done
# Of a name with several lines in the hosts file, all addresses count.
echo "multi on" >/etc/host.conf
# A name service cache that runs here knows another /etc.
if [ -d /run/nscd ]; then mount -t tmpfs none /run/nscd; fi
# What some names of the NSS module wait for.
export OUTRACE_NSS_LOG="$OUTRACE_NSS/log" OUTRACE_NSS_GATE="$OUTRACE_NSS/gate"
rm -f "$OUTRACE_NSS_GATE"
mkfifo "$OUTRACE_NSS_GATE"
unset RES_OPTIONS LOCALDOMAIN HOSTALIASES OUTRACE_SOURCE
export LC_ALL=C
exec "$@"
