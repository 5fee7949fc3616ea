# shellcheck shell=bash
# What the project's scripts share: messages, packages, the cache directory, and other Debian suites.
# Source it:  . "$(dirname "${BASH_SOURCE[0]}")/common.sh"
set -euo pipefail

# Where everything that takes long to make is kept, outside the source tree.
MQCTL_CACHE=${MQCTL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mqctl}

# What a build needs beside Swift, and what the tests need beside that.
# shellcheck disable=SC2034 # for those who source this
BUILD_PACKAGES=(binutils libnl-3-dev libnl-route-3-dev libcap-dev libseccomp-dev libyaml-dev pkg-config iproute2)
# shellcheck disable=SC2034
TEST_PACKAGES=(python3 python3-jsonschema strace qemu-system-x86 procps kmod dpdk-dev)
# What scripts/package needs, and what its test does.
# shellcheck disable=SC2034
PACKAGE_PACKAGES=(binutils dpkg-dev python3 xz-utils)
# shellcheck disable=SC2034
PACKAGE_TEST_PACKAGES=(lintian systemd man-db mandoc bash-completion zsh fish python3-yaml qemu-system-x86)
# What the commands in the documents use beside TEST_PACKAGES.
# shellcheck disable=SC2034
DOCS_PACKAGES=(python3 ansible-core qemu-system-x86 libvirt-clients libvirt-daemon libxml2-utils systemd)

# say TEXT…: one line for whoever watches, on stderr.
say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# die TEXT…: say what failed, why, and the mend; then end.
die() { say "$@"; exit 1; }

# usage FILE: print a script's header comment (its --help), from its second line to the first that is no comment.
usage() { awk 'NR == 1 { next } !/^#/ { exit } { sub(/^# ?/, ""); print }' "$1"; }

# need_swift: end unless there is a Swift of 6.3 or newer.
need_swift() {
    local version
    command -v swift >/dev/null || die "there is no swift in PATH: install Swift 6.3 or newer (swift.org/install)"
    version=$(swift --version 2>/dev/null | grep -oE 'Swift version [0-9]+\.[0-9]+' | grep -oE '[0-9]+\.[0-9]+')
    [[ $(printf '%s\n' 6.3 "$version" | sort -V | head -n 1) == 6.3 ]] ||
        die "needs Swift 6.3 or newer, and this is $version: install a newer one (swift.org/install)"
}

# missing_packages PKG…: print those that are not installed.
missing_packages() {
    local package
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || printf '%s\n' "$package"
    done
}

# need_packages PKG…: install the Debian packages that are missing, and nothing else.
need_packages() {
    local -a missing
    local log
    command -v dpkg-query apt-get >/dev/null || die "cannot look for $*: this machine has no apt; install them by hand"
    mapfile -t missing < <(missing_packages "$@")
    ((${#missing[@]})) || return 0
    [[ $(id -u) == 0 ]] || die "needs the packages ${missing[*]}: run as root:" \
        "apt-get install --no-install-recommends ${missing[*]}"
    say "installing ${missing[*]}"
    log=$(mktemp)
    if ! install_quietly "$log" "${missing[@]}"; then
        # The lists may be missing or old: fetch them once and try again.
        apt-get -q -o DPkg::Lock::Timeout=300 update >"$log" 2>&1 || true
        if ! install_quietly "$log" "${missing[@]}"; then
            grep -E '^[EW]:' "$log" >&2 || tail -n 5 "$log" >&2
            rm -f "$log"
            die "apt could not install ${missing[*]} (its reasons are above): mend apt's sources, then run this again"
        fi
    fi
    rm -f "$log"
}

install_quietly() { # LOG PKG…
    local log=$1
    shift
    DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@" \
        >>"$log" 2>&1 </dev/null
}

# debian_mirror: print "ADDRESS FILE" of the Debian archive that this machine's apt uses, and the file that names it.
# apt itself reads its configuration here, so .list and .sources files both count.
debian_mirror() {
    # shellcheck disable=SC2016 # apt fills in the $(…)
    local format='$(ORIGIN)|$(LABEL)|$(RELEASE)|$(REPO_URI)|$(SOURCESENTRY)'
    apt-get indextargets --format "$format" 'Created-By: Packages' |
        awk -F'|' '$1 == "Debian" && $2 == "Debian" && $3 !~ /-/ && !n++ { sub(/:[0-9]+$/, "", $5); print $4, $5 }'
}

# suite_apt SUITE COMMAND ARGUMENT…: run apt-get or apt-cache (COMMAND) on another suite of the same Debian mirror,
# with lists and a cache of its own: the machine's apt state stays as it is. Signatures are checked as ever, with the key
# that the machine's own source names and with Debian's own keyring. MQCTL_DEBIAN_MIRROR overrides the mirror.
suite_apt() {
    local suite=$1 state="$MQCTL_CACHE/apt/$1"
    shift
    [[ -s $state/ready ]] || suite_update "$suite" "$state"
    suite_run "$state" "$@"
}

# backports_apt COMMAND ARGUMENT…: the same for Debian 13's backports.
backports_apt() { suite_apt trixie-backports "$@"; }

# forget_suite SUITE: fetch that suite's lists anew at the next suite_apt.
forget_suite() { rm -f "$MQCTL_CACHE/apt/$1/ready"; }

suite_run() { # STATE COMMAND ARGUMENT…
    local state=$1 command=$2
    shift 2
    local -a options=(-q -o "Dir::Etc::sourcelist=$state/sources.list" -o Dir::Etc::sourceparts=-
        -o "Dir::State::Lists=$state/lists" -o "Dir::Cache=$state/cache")
    # root's own cache is closed to apt's download user
    [[ $(id -u) != 0 ]] || options+=(-o APT::Sandbox::User=root)
    "$command" "${options[@]}" "$@"
}

suite_update() { # SUITE STATE
    local suite=$1 state=$2 mirror file key='' keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    command -v apt-get >/dev/null || die "cannot fetch from Debian $suite: this machine has no apt; use a Debian machine"
    read -r mirror file < <(debian_mirror) || true
    if [[ -z ${mirror:-} && $(id -u) == 0 ]]; then
        apt-get -q -o DPkg::Lock::Timeout=300 update >/dev/null 2>&1 || true
        read -r mirror file < <(debian_mirror) || true
    fi
    mirror=${MQCTL_DEBIAN_MIRROR:-${mirror:-}}
    [[ -n $mirror ]] || die "cannot fetch from Debian $suite: apt's sources name no Debian archive (or its lists are not" \
        "fetched yet): run apt-get update, or set MQCTL_DEBIAN_MIRROR to a mirror's address"
    [[ -r $keyring ]] || need_packages debian-archive-keyring
    if [[ -r ${file:-} ]]; then
        key=$(grep -ioE '^[^#]*signed-by[:=][[:space:]]*/[^][:space:]]+' "$file" | grep -oE '/[^[:space:],]+$' | head -n 1) || key=''
    fi
    [[ -z $key || $key == "$keyring" ]] || keyring="$key,$keyring"
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
    printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$suite" >"$state/sources.list"
    if ! suite_run "$state" apt-get --error-on=any update >"$state/log" 2>&1; then
        if grep -q NO_PUBKEY "$state/log" && [[ $(id -u) == 0 ]]; then
            # An old keyring does not know the suite's key; the machine's own, signed archive has a newer one.
            say "fetching a newer debian-archive-keyring, for $suite's key"
            install_quietly "$state/log" debian-archive-keyring || true
            suite_run "$state" apt-get --error-on=any update >"$state/log" 2>&1 || suite_failed "$suite" "$state/log"
        else
            suite_failed "$suite" "$state/log"
        fi
    fi
    date >"$state/ready"
}

suite_failed() { # SUITE LOG
    grep -E '^[EW]:' "$2" >&2 || true
    die "cannot use Debian $1: apt's reasons are above; if it knows no key, update debian-archive-keyring;" \
        "if the mirror lacks the suite, set MQCTL_DEBIAN_MIRROR to one that has it"
}
