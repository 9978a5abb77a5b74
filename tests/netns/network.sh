#!/bin/sh
# Makes a network of its own, within `unshare -rn`, and runs a command there.
#
# Local: 198.51.100.0/24 and 2001:db8:51::/48, every address of them. Unreachable: 2001:db8:dead::/48.
# Every other address is a black hole: its packets go to a neighbour that does not exist. Each SYN
# passes through netfilter queue 0, so that the tests can see, delay and drop it, but those to the
# nameserver 198.51.100.74. A local firewall drops two of three queries to 198.51.100.73.
set -eu
ip link set lo up
ip link add v0 type veth peer name v1
ip link set v0 up
ip link set v1 up
ip addr add 192.0.2.1/24 dev v0
ip -6 addr add 2001:db8:0:1::1/64 dev v0 nodad
ip neigh add 192.0.2.254 lladdr 02:00:00:00:00:99 dev v0 nud permanent
ip -6 neigh add 2001:db8:0:1::fe lladdr 02:00:00:00:00:99 dev v0 nud permanent
ip route add default via 192.0.2.254 dev v0
ip -6 route add default via 2001:db8:0:1::fe dev v0
ip route add local 198.51.100.0/24 dev lo
ip -6 route add local 2001:db8:51::/48 dev lo
# A route that says "not in this table", and no other table knows better: ENETUNREACH.
ip -6 route add throw 2001:db8:dead::/48
iptables-nft -t mangle -A OUTPUT -p tcp -d 198.51.100.74 -j ACCEPT
iptables-nft -t mangle -A OUTPUT -p tcp --syn -j NFQUEUE --queue-num 0
ip6tables-nft -t mangle -A OUTPUT -p tcp --syn -j NFQUEUE --queue-num 0
iptables-nft -A OUTPUT -p udp -d 198.51.100.73 --dport 53 -m statistic --mode nth --every 3 --packet 0 -j DROP
iptables-nft -A OUTPUT -p udp -d 198.51.100.73 --dport 53 -m statistic --mode nth --every 2 --packet 0 -j DROP
exec "$@"
