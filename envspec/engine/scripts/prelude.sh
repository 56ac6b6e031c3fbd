# Shared by every operation: state, windows, ledger, users. Runs as root inside the container, in any POSIX sh that
# entry.sh started. Expects ENVSPEC_STEP, the operation's token, in the environment, and VARIABLES, the text of
# variables.sh. Prints to stdout only; the last line on stderr is the proof that the operation ran to its own end.
set -u
umask 022
STATE=/var/lib/envspec
RUN=/run/envspec
FORWARDED_GIT=$STATE/forwarded/gitconfig
TOKEN=$ENVSPEC_STEP
exec 3>&2 2>&1

# say goodbye with a code and a message
fail() {
  fail_code=$1
  shift
  printf '%s\n' "$*"
  exit "$fail_code"
}

# end the window whatever happened, and tell the caller that this is the operation's own exit code
finish() {
  if [ -d "$STATE/windows/$TOKEN" ]; then : > "$STATE/windows/$TOKEN/end"; fi
  [ -z "${STAGE-}" ] || rm -rf "$STAGE"
  printf 'envspec-ended %s %s\n' "$TOKEN" "$1" >&3
  exit "$1"
}
trap 'finish $?' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 141' PIPE
trap 'exit 143' TERM

# own_directory DIR: make a directory of root's, whatever else took its place
own_directory() {
  if [ -L "$1" ] || { [ -e "$1" ] && [ ! -d "$1" ]; }; then rm -f -- "$1"; fi
  [ -d "$1" ] || mkdir -p -- "$1" || fail 1 "cannot write to $1"
  [ -O "$1" ] || fail 1 "$1 must belong to root and does not: remove it, then apply again"
}

# own_file FILE: make way for a regular file below a directory of root's, whatever else took its place
own_file() {
  if [ -L "$1" ] || { [ -e "$1" ] && [ ! -f "$1" ]; }; then rm -rf -- "$1"; fi
}

# open the operation's window; the first operation of a container counts all that was there before as one window,
# on the container's own root filesystem (rootfs) and on volumes (initial, which put_state carries over)
begin() {
  if [ ! -d "$STATE/ledger" ]; then
    lacking=''
    for tool in awk find sed sha256sum stat tar; do
      command -v "$tool" > /dev/null || lacking="$lacking $tool"
    done
    [ -z "$lacking" ] || fail 1 "not in this image:$lacking"
  fi
  for own in "$STATE" "$STATE/ledger" "$STATE/originals" "$STATE/windows"; do own_directory "$own"; done
  if [ ! -d "$STATE/windows/rootfs" ] && mkdir "$STATE/windows/rootfs" 2> /dev/null; then
    mkdir -p "$STATE/windows/initial"
    : > "$STATE/windows/rootfs/end"
    : > "$STATE/windows/initial/end"
  fi
  if ! mkdir -p "$STATE/windows/$TOKEN" || ! : > "$STATE/windows/$TOKEN/start"; then fail 1 "cannot write to $STATE"; fi
}

# stage DIR: unpack the tar stream on stdin into a private directory below DIR, removed at the end; sets STAGE
stage() {
  STAGE=$1/.stage-$TOKEN
  if ! (umask 077 && mkdir -p "$STAGE") || ! tar -xpf - -C "$STAGE"; then fail 1 "cannot unpack what was sent"; fi
}

# need_tmpfs: refuse to write variables where they would end up in a layer
need_tmpfs() {
  grep -q " $RUN tmpfs " /proc/mounts || fail 1 "$RUN is no tmpfs here: variables would end up in a layer"
}

# sealed_files: paths, below the tmpfs, of the files that the last put_environment sealed
sealed_files() {
  sed -n 's/^file //p' "$RUN/seals" 2> /dev/null || :
}

# into_tmpfs DIR: move every file below DIR to its place in the tmpfs
into_tmpfs() {
  (
    cd "$1" || exit 1
    find . ! -type d | while IFS= read -r path; do
      mkdir -p -- "$RUN/${path%/*}" && mv -f -- "$path" "$RUN/$path" || exit 1
    done
  ) || fail 1 "cannot write to $RUN"
}

# record NAME JSON [FACT...]: write a ledger entry, whole or not at all
record() {
  record_name=$1
  shift
  own_file "$STATE/ledger/.$record_name"
  own_file "$STATE/ledger/$record_name"
  printf '%s\n' "$@" > "$STATE/ledger/.$record_name" || fail 1 "cannot write the ledger"
  mv -f "$STATE/ledger/.$record_name" "$STATE/ledger/$record_name" || fail 1 "cannot write the ledger"
}

# keep_record [FACT...]: write the entry that read_record read, with what was found out
keep_record() {
  [ -z "$kept_name" ] || record "$kept_name" "$kept_json" "$@"
}
# read_record: take a name and JSON from the next line of stdin; an empty line is no record
read_record() {
  kept_name='' kept_json=''
  IFS=' ' read -r kept_name kept_json || :
}

# forget NAME: drop a ledger entry and the original kept for it
forget() {
  rm -rf "$STATE/ledger/$1" "$STATE/originals/$1" "$STATE/originals/$1.absent"
}

# account UID: set user_name and user_home; user_name is empty when nobody has that uid
account() {
  user_name='' user_home=/
  while IFS=: read -r a_name _ a_uid _ _ a_home _; do
    if [ "$a_uid" = "$1" ]; then
      user_name=$a_name user_home=${a_home:-/}
      return 0
    fi
  done < /etc/passwd
}

# locate PATH: set located to it; one that begins with ~UID/ is below the home of that user
locate() {
  located=$1
  case $1 in
    '~'*)
      located=${1#?}
      account "${located%%/*}"
      located=${user_home%/}/${located#*/}
      ;;
  esac
}

# as_user UID GID SCRIPT [ARG...]: run shell text as a user, with as_input for its stdin; 125 where that cannot be done.
# It sees as little of the image's variables as we do.
as_user() {
  as_uid=$1 as_gid=$2 as_script=$3
  shift 3
  account "$as_uid"
  if [ "$as_uid" = 0 ]; then
    set -- /bin/sh -c "$as_script" envspec "$@"
  elif setpriv --reuid "$as_uid" --regid "$as_gid" --clear-groups true 2> /dev/null; then
    as_groups=--clear-groups
    [ -z "$user_name" ] || as_groups=--init-groups
    set -- setpriv --reuid "$as_uid" --regid "$as_gid" "$as_groups" /bin/sh -c "$as_script" envspec "$@"
  elif [ -n "$user_name" ]; then
    set -- su -p -s /bin/sh -c "$as_script" -- "$user_name" envspec "$@"
  else
    printf '%s\n' "cannot become uid $as_uid: it has no account, and there is no setpriv"
    return 125
  fi
  as_name=${user_name:-$as_uid}
  HOME=$user_home USER=$as_name LOGNAME=$as_name ENVSPEC_USER=$as_name "$@" < "${as_input:-/dev/null}" 3>&-
}

# in_environment UID GID SCRIPT [ARG...]: the same, with the variables of the image and of the environment
in_environment() {
  in_uid=$1 in_gid=$2 in_script=$3
  shift 3
  as_user "$in_uid" "$in_gid" "$VARIABLES
$in_script" "$@"
}
