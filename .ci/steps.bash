# Shared by the scripts beside it: `source .ci/steps.bash`.

fail() {
  printf '%s: %s\n' "$0" "$1" >&2
  exit 1
}

# step NAME COMMAND..: runs the command, and tells how long it took.
step() {
  local name=$1 start=$SECONDS
  shift
  printf '\n=== %s: %s\n' "$name" "$*"
  "$@" || fail "$name failed"
  printf -- '--- %s: %d s\n' "$name" "$((SECONDS - start))"
}

# tests COMMAND..: runs a `cargo test` command; that no test ran is a failure too, as with a filter
# that no longer fits.
tests() {
  local log passed
  log=$(mktemp)
  if ! "$@" 2>&1 | tee "$log"; then
    rm "$log"
    return 1
  fi
  passed=$(awk '/^test result: ok/ { sum += $4 } END { print sum + 0 }' "$log")
  rm "$log"
  printf '%s tests passed\n' "$passed"
  [[ $passed -gt 0 ]] || fail "no test ran: $*"
}

# For the tests that play the pure files for long: they are built a little optimized, and their
# dependencies are those of `cargo test`. A release build takes three times as long, with those as
# well, and saves seconds.
quick=(--config 'profile.test.package.outrace.opt-level=1' --config 'profile.test.package.outrace.debug=0')

# keep_dependencies: on a clean checkout what is built goes to a folder outside of it, one for what
# the manifests and the compilers are, so that the next checkout builds no dependency again. What is
# ours is built anew each time. Another run at the same time has a folder of its own, as usual.
keep_dependencies() {
  [[ ! -e target ]] || return 0
  local cache=${XDG_CACHE_HOME:-$HOME/.cache}/outrace-ci key
  key=$({ cat Cargo.toml */Cargo.toml */*/Cargo.toml; rustc -vV; cargo +nightly -V || true; } 2>/dev/null |
    sha256sum | cut -c 1-16)
  mkdir -p "$cache"
  exec 8>"$cache/lock"
  flock --nonblock 8 || return 0
  # Another set is of no use any more, nor is one that has gathered too much.
  find "$cache" -mindepth 1 -maxdepth 1 -type d ! -name "$key" -exec rm -r {} +
  if [[ -d $cache/$key && $(du -s --block-size=1G "$cache/$key" | cut -f 1) -gt 16 ]]; then
    rm -r "${cache:?}/$key"
  fi
  mkdir -p "$cache/$key"
  find "$cache/$key" \( -path '*/.fingerprint/outrace*' -o -path '*/.fingerprint/futex-queue*' \
    -o -path '*/deps/*outrace*' -o -name incremental \) -prune -exec rm -r {} +
  ln -s "$cache/$key" target
}

# alone COMMAND..: runs what must not run twice at a time, since two steps may install something.
install_lock=$PWD/target/.install-lock
alone() {
  mkdir -p "${install_lock%/*}"
  (flock 9 && "$@" 9>&-) 9>"$install_lock"
}

# install COMMAND=PACKAGE..: installs the Debian packages whose commands, or files by their path, are
# missing. None of them may start a service: `policy-rc.d` is what Debian's packages ask, and 101 is "do not".
install() {
  local pair packages=()
  for pair; do
    PATH="$PATH:/usr/sbin" command -v "${pair%%=*}" >/dev/null || [[ -e ${pair%%=*} ]] ||
      packages+=("${pair#*=}")
  done
  [[ ${#packages[@]} -eq 0 ]] || alone install_packages "${packages[@]}"
}

install_packages() {
  local policy=/usr/sbin/policy-rc.d policy_is_ours=
  export DEBIAN_FRONTEND=noninteractive
  # Another installation may be under way: wait for its lock instead of failing.
  apt-get -o DPkg::Lock::Timeout=500 update -q
  if [[ ! -e $policy ]]; then
    policy_is_ours=yes
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
  fi
  local outcome=0
  apt-get -o DPkg::Lock::Timeout=500 install -q -y --no-install-recommends "$@" || outcome=$?
  if [[ -n $policy_is_ours ]]; then rm "$policy"; fi
  return "$outcome"
}

# OpenSSL's headers, with which hyper-tls is built; the feature of that name in tests/clients needs them.
install_openssl() {
  install pkg-config=pkg-config /usr/include/openssl/ssl.h=libssl-dev
}

# not_checked REASON: ends a script whose tool cannot be had. The log says so, and `run` says it again
# at its end.
not_checked() {
  printf 'NOT CHECKED: %s: %s\n' "$0" "$1" | tee -a "${OUTRACE_NOT_CHECKED:-/dev/null}"
  exit 0
}

# python_tool PACKAGE==VERSION: a program that is published as a Python package, installed below
# target/; its folder is $tools.
python_tool() {
  tools=$PWD/target/tools/bin
  [[ -x $tools/pip ]] || python3 -m venv target/tools || not_checked "there is no python3 with venv"
  timeout 300 "$tools/pip" install --quiet --disable-pip-version-check "$1" ||
    not_checked "$1 cannot be installed"
}

# nightly: the nightly toolchain is there, or is installed.
nightly() {
  cargo +nightly --version >/dev/null 2>&1 ||
    alone timeout 300 rustup toolchain install nightly --profile minimal --no-self-update ||
    not_checked "the nightly toolchain cannot be installed"
}
