# Nameservers of others, on loopback, for the scripts beside it: `source .ci/nameservers.bash` after
# `steps.bash`. They run from a directory of their own, and are stopped when the script ends.
#
# start_SOFTWARE ADDRESS PORT < TEXT: the text is what the configuration has besides: its zones.
PATH="$PATH:/usr/sbin"

dir=$(mktemp -d)
servers=()
stop_servers() {
  kill "${servers[@]}" 2>/dev/null || true
  wait
  rm -r "$dir"
}
trap stop_servers EXIT

# serve NAME ADDRESS PORT COMMAND..: starts it, and waits until its TCP port takes connections.
serve() {
  local name=$1 address=$2 port=$3
  shift 3
  "$@" >"$dir/$name.log" 2>&1 &
  servers+=($!)
  for _ in {1..200}; do
    if (: <>"/dev/tcp/$address/$port") 2>/dev/null; then return; fi
    kill -0 "${servers[-1]}" 2>/dev/null || break
    sleep 0.05
  done
  cat "$dir/$name.log" >&2
  fail "$name did not start"
}

# says NAME TEXT: waits until its log has the text, where it listens before it has its zones.
says() {
  for _ in {1..200}; do
    if grep -q "$2" "$dir/$1.log"; then return; fi
    sleep 0.05
  done
  cat "$dir/$1.log" >&2
  fail "$1 did not say: $2"
}

# config SOFTWARE < TEXT: its directory, with the configuration.
config() {
  mkdir "$dir/$1"
  cat >"$dir/$1/conf"
}

# addresses FORMAT: 60 lines, for more addresses than fit a datagram.
addresses() {
  for i in {1..60}; do printf "$1\n" "$i"; done
}

# links FORMAT COUNT: a chain of as many aliases, from chainCOUNT to plain.
links() {
  local name="chain$2" i
  for ((i = 1; i < $2; i++)); do
    printf "$1\n" "$name" "chain$2-$i"
    name="chain$2-$i"
  done
  printf "$1\n" "$name" plain
}

# Its text begins within `server:`.
start_unbound() {
  config unbound <<CONF
server:
  interface: $1@$2
  username: ""
  chroot: ""
  directory: "$dir/unbound"
  pidfile: ""
  use-syslog: no
  do-ip6: no
  access-control: 127.0.0.0/8 allow
  module-config: "iterator"
  local-zone: "test." nodefault
  do-not-query-localhost: no
$(cat)
remote-control:
  control-enable: no
CONF
  serve unbound "$1" "$2" unbound -d -c "$dir/unbound/conf"
}

start_dnsmasq() {
  config dnsmasq <<CONF
listen-address=$1
port=$2
bind-interfaces
no-resolv
no-hosts
pid-file=
user=root
$(cat)
CONF
  serve dnsmasq "$1" "$2" dnsmasq --keep-in-foreground -C "$dir/dnsmasq/conf"
}

start_bind() {
  config bind <<CONF
options {
  directory "$dir/bind";
  listen-on port $2 { $1; };
  listen-on-v6 { none; };
  pid-file none;
  session-keyfile none;
  recursion no;
  dnssec-validation no;
  empty-zones-enable no;
};
controls { };
$(cat)
CONF
  serve bind "$1" "$2" named -g -n 1 -c "$dir/bind/conf"
  says bind "all zones loaded"
}

start_nsd() {
  config nsd <<CONF
server:
  ip-address: $1@$2
  username: ""
  chroot: ""
  database: ""
  pidfile: ""
  zonesdir: "$dir/nsd"
  xfrdir: "$dir/nsd"
  xfrdfile: "$dir/nsd/xfrd"
  zonelistfile: "$dir/nsd/zones"
  server-count: 1
remote-control:
  control-enable: no
$(cat)
CONF
  serve nsd "$1" "$2" nsd -d -c "$dir/nsd/conf"
}

start_knot() {
  config knot <<CONF
server:
  listen: $1@$2
  rundir: $dir/knot
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: $dir/knot
log:
  - target: stderr
    any: info
$(cat)
CONF
  serve knot "$1" "$2" knotd -c "$dir/knot/conf"
  says knot "server started"
}

start_recursor() {
  config recursor <<CONF
local-address=$1
local-port=$2
socket-dir=$dir/recursor
daemon=no
disable-syslog=yes
threads=1
setuid=
setgid=
dnssec=off
dont-query=
hint-file=no
security-poll-suffix=
$(cat)
CONF
  # This name and no other.
  ln -s conf "$dir/recursor/recursor.conf"
  serve recursor "$1" "$2" pdns_recursor --config-dir="$dir/recursor"
}

start_kresd() {
  config kresd <<CONF
net.listen('$1', $2, { kind = 'dns' })
cache.size = 10 * MB
trust_anchors.remove('.')
$(cat)
CONF
  serve kresd "$1" "$2" kresd -n -q -c "$dir/kresd/conf" "$dir/kresd"
}
