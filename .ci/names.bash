# The world of tests/getaddrinfo, for the scripts beside it: `source .ci/names.bash` after
# `steps.bash`, within `unshare -rnm`. Nameservers with a zone of some hundred names, and an /etc of
# its own, whose files are those of $dir.
source .ci/nameservers.bash
export PATH="$PATH:/sbin"
ip link set lo up

# Generated: what is long.
{
  cat tests/getaddrinfo/zone
  addresses "many A 192.0.2.%d"
  addresses "many AAAA 2001:db8::%x"
  addresses "many4 A 192.0.2.%d"
  addresses "many6 AAAA 2001:db8::%x"
  for count in {1..12}; do links "%s CNAME %s" "$count"; done
  label=$(printf 'x%.0s' {1..63})
  printf '%s A 192.0.2.29\n' "$label"
  # 253 octets with the zone's name.
  printf '%s A 192.0.2.70\n' "$label.$label.$label.${label:0:50}"
} >"$dir/zone"
# Generated: what does not show.
{
  cat tests/getaddrinfo/hosts
  printf '192.0.2.124\t\ttabs.hosts\ttabs-alias.hosts\t\n'
  printf '192.0.2.125 other-system.hosts\r\n'
} >"$dir/hosts"

# Besides a zone that is not there, which is SERVFAIL, and one that this host may not ask, which is
# NOTAUTH.
start_knot 127.0.0.1 53 <<CONF
mod-queryacl:
  - id: elsewhere
    address: 192.0.2.1
zone:
  - domain: .
    file: $dir/zone
    zonefile-sync: -1
  - domain: broken.test.
    file: $dir/none
  - domain: notauth.test.
    file: $dir/none
    module: mod-queryacl/elsewhere
CONF

# What it says of special names, such as those below `home.arpa`, is left as it is.
start_unbound 127.0.0.2 53 <<CONF
  local-zone: "refused.test." always_refuse
forward-zone:
  name: "."
  forward-addr: 127.0.0.1
CONF

printf 'hosts: files dns\n' >"$dir/nsswitch.conf"
printf 'multi on\n' >"$dir/host.conf"
touch "$dir/resolv.conf"
for file in resolv.conf hosts nsswitch.conf host.conf; do
  mount --bind "$dir/$file" "/etc/$file"
done
# A name service cache that runs here knows another /etc.
if [[ -d /run/nscd ]]; then mount -t tmpfs none /run/nscd; fi
unset RES_OPTIONS LOCALDOMAIN HOSTALIASES OUTRACE_SOURCE
export LC_ALL=C OUTRACE_GETADDRINFO_ZONE=$dir/zone

# compare SETTING: on the resolv.conf of stdin, and what the caller has in nsswitch.conf.
compare() {
  cat >"$dir/resolv.conf"
  OUTRACE_GETADDRINFO=$1 tests cargo test --offline --test getaddrinfo -- --nocapture
}
