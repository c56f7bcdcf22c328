# shellcheck shell=bash
# Sourced by scripts/setup-nic and scripts/tune-host after common.sh: reading and changing the host so that
# every change is written down before it is made, and taken back in reverse order.
#
# GNOMON_SYSROOT puts a directory in the place of / for files, and its bin/ first in PATH: that is how the
# tests have other hosts. An executable `hook` there is called with file and value after each write, and
# plays the kernel.

SYSROOT=${GNOMON_SYSROOT:-}
[ -z "$SYSROOT" ] || PATH="$SYSROOT/bin:$PATH"
STATE=""          # set by the script: the file with what was done
DRY_RUN=0
FAILURES=0

ok()   { printf '  ok    %s\n' "$1"; }
info() { printf '  -     %s\n' "$1"; }
# warn WHAT REMEDY
WARNINGS=0
warn() {
    printf '  WARN  %s\n' "$1"
    [ -z "${2:-}" ] || printf '        remedy: %s\n' "$2"
    WARNINGS=$((WARNINGS + 1))
}

# The first line of a file, nothing when it cannot be read.
peek() { head -n 1 "$SYSROOT$1" 2>/dev/null || true; }
have() { [ -e "$SYSROOT$1" ]; }
# The last part of where a link leads, nothing when there is none.
link_name() { if [ -L "$SYSROOT$1" ]; then basename "$(readlink "$SYSROOT$1")"; fi; }

# Writes a value. Fails as the kernel does.
put() {
    if [ "$DRY_RUN" = 1 ]; then
        note "would write '$2' to $1"
        return
    fi
    { printf '%s\n' "$2" >"$SYSROOT$1"; } 2>/dev/null || return 1
    if [ -n "$SYSROOT" ] && [ -x "$SYSROOT/hook" ]; then "$SYSROOT/hook" "$1" "$2"; fi
}

# Runs a command that changes something.
act() {
    if [ "$DRY_RUN" = 1 ]; then
        note "would run: $*"
        return
    fi
    "$@"
}

# Writes down how to take a change back: KIND and its arguments, for `revert_KIND`.
record() {
    [ "$DRY_RUN" = 0 ] || return 0
    mkdir -p "$(dirname "$SYSROOT$STATE")"
    printf '%s\n' "$*" >>"$SYSROOT$STATE"
}

# A change that did not happen has nothing to be taken back.
forget_last() {
    [ "$DRY_RUN" = 0 ] || return 0
    sed -i '$d' "$SYSROOT$STATE"
    [ -s "$SYSROOT$STATE" ] || rm -f "$SYSROOT$STATE"
}

# change FILE VALUE: as put, and undone by writing what was there. Nothing is done when it is so already.
change() {
    local before
    before=$(peek "$1")
    [ "$before" != "$2" ] || return 0
    record file "$1" "$before"
    put "$1" "$2" || { forget_last; return 1; }
}
revert_file() {
    local file=$1
    shift
    have "$file" || { note "$file is gone"; return 0; }
    put "$file" "$*"
}

# undo_matching PATTERN: takes back, newest first, the records that match the glob pattern (each ends in a
# space); what cannot be taken back stays in the state file.
undo_matching() {
    local -a lines=() kept=()
    local i line kind arguments
    [ -s "$SYSROOT$STATE" ] || return 0
    mapfile -t lines <"$SYSROOT$STATE"
    for ((i = ${#lines[@]} - 1; i >= 0; i--)); do
        line=${lines[i]}
        # shellcheck disable=SC2254
        case "$line " in $1) ;; *) kept=("$line" "${kept[@]}"); continue ;; esac
        kind=${line%% *}
        read -ra arguments <<<"${line#* }"
        if "revert_$kind" "${arguments[@]}"; then
            note "undone: $line"
        else
            note "could not be undone: $line"
            FAILURES=$((FAILURES + 1))
            kept=("$line" "${kept[@]}")
        fi
    done
    [ "$DRY_RUN" = 0 ] || return 0
    if [ ${#kept[@]} -gt 0 ]; then
        printf '%s\n' "${kept[@]}" >"$SYSROOT$STATE"
    else
        rm -f "$SYSROOT$STATE"
    fi
}

need_root_to_change() {
    [ "$DRY_RUN" = 1 ] || [ -n "$SYSROOT" ] || [ "$(id -u)" = 0 ] || die "$1 needs root; run it with sudo"
}

# "0,2-4" as words; empty for what is no such list.
expand_list() {
    local part out=() i
    local -a parts
    IFS=, read -ra parts <<<"$1"
    for part in "${parts[@]}"; do
        case $part in
            *[!0-9-]*|'') return 0 ;;
            *-*) for ((i = ${part%-*}; i <= ${part#*-}; i++)); do out+=("$i"); done ;;
            *) out+=("$part") ;;
        esac
    done
    echo "${out[@]}"
}
