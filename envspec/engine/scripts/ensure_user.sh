# ensure_user NAME UID GID [MOUNT...]: stdin holds the record.
name=$1 uid=$2 gid=$3
shift 3
begin
read_record

# taken FILE NAME: whether a line of /etc/passwd or /etc/group bears the name
taken() {
  while IFS=: read -r t_name _; do
    [ "$t_name" != "$2" ] || return 0
  done < "$1"
  return 1
}

# append LINE FILE: add a line, minding a last one without a line break
append() {
  [ -w "$2" ] || fail 1 "cannot add the account: $2 can only be read"
  [ -z "$(tail -c 1 "$2")" ] || printf '\n' >> "$2"
  printf '%s\n' "$1" >> "$2" || fail 1 "cannot write $2"
}

ensure_group() {
  while IFS=: read -r _ _ g_gid _; do
    [ "$g_gid" != "$gid" ] || return 0
  done < /etc/group
  group=$name
  ! taken /etc/group "$group" || group=$name-$gid
  append "$group:x:$gid:" /etc/group
  [ ! -f /etc/gshadow ] || append "$group:!::" /etc/gshadow
}

# Podman's keep-id makes an account up whose home is the working directory; it gets a home and a shell of its own
settle_made_up() {
  awk -F: -v OFS=: -v uid="$uid" -v shell="$shell" '
    $3 == uid && $2 == "*" && $5 == "" && $7 == "/bin/sh" { $6 = "/home/" $1; $7 = shell }
    { print }' /etc/passwd > "$STATE/.passwd" || fail 1 "cannot read the accounts"
  if ! cmp -s "$STATE/.passwd" /etc/passwd; then
    cat "$STATE/.passwd" > /etc/passwd || fail 1 "cannot write /etc/passwd"
  fi
  rm -f "$STATE/.passwd"
}

ensure_account() {
  shell=/bin/sh
  [ ! -x /bin/bash ] || shell=/bin/bash
  settle_made_up
  account "$uid"
  [ -z "$user_name" ] || return 0
  ! taken /etc/passwd "$name" || name=$name-$uid
  [ ! -f /etc/shadow ] || append "$name:*:19000:0:99999:7:::" /etc/shadow
  append "$name:x:$uid:$gid::/home/$name:$shell" /etc/passwd
  account "$uid"
}

# mounts_in DIR: mount points below a directory, a line each; the kernel writes a blank as \040
mounts_in() {
  while IFS=' ' read -r _ _ _ _ at _; do
    at=$(printf '%b' "$at")
    case $at in "$1"/*) printf '%s\n' "$at" ;; esac
  done < /proc/self/mountinfo
}

# open_way DIR MOUNTS: give the user a directory that the engine made, as root, on the way to what it mounts: nothing else
# is in it but, in a home, what a new one gets. It is worked on from within, so that no link can take its place meanwhile
open_way() (
  cd -P -- "$1" 2> /dev/null && [ "$(pwd -P)" = "$1" ] && [ "$(stat -c %u .)" = 0 ] || exit 0
  for entry in * .[!.]* ..?*; do
    [ -e "$entry" ] || [ -L "$entry" ] || continue
    case "
$2
" in
      *"
$1/$entry
"* | *"
$1/$entry/"*) ;;
      *) [ "$1" = "$user_home" ] && { [ -e "/etc/skel/$entry" ] || [ "$entry" = .envspec-new ]; } || exit 0 ;;
    esac
  done
  [ "$1" != "$user_home" ] || fill_home || exit 1
  chown "$uid:$gid" .
)

# fill_home: give the home that is the working directory what a new one gets, and where that is missing only
fill_home() {
  for entry in /etc/skel/* /etc/skel/.[!.]* /etc/skel/..?*; do
    to=./${entry##*/}
    [ -e "$entry" ] && [ ! -e "$to" ] && [ ! -L "$to" ] || continue
    rm -rf ./.envspec-new && cp -R -- "$entry" ./.envspec-new && chown -hR "$uid:$gid" ./.envspec-new &&
      mv -- ./.envspec-new "$to" || return 1
  done
}

# open_ways: the same for all directories from the home to its mounts, the innermost first
open_ways() {
  inside=$(mounts_in "$user_home")
  [ -n "$inside" ] || return 0
  printf '%s\n' "$inside" | while IFS= read -r at; do
    at=${at%/*}
    while case $at in "$user_home" | "$user_home"/*) true ;; *) false ;; esac; do
      printf '%s\n' "$at"
      at=${at%/*}
    done
  done | sort -ru | while IFS= read -r at; do
    open_way "$at" "$inside" || fail 1 "cannot give $at to uid $uid"
  done
}

ensure_home() {
  if [ -d "$user_home" ]; then
    open_ways
    return 0
  fi
  enter_parents "$user_home" 0 0 /
  home=${user_home##*/}
  nest .envspec-home && mkdir -m 755 -- "./$home" || fail 1 "cannot make the home $user_home"
  [ ! -d /etc/skel ] || cp -R /etc/skel/. "./$home" || fail 1 "cannot fill the home $user_home"
  chown -R "$uid:$gid" "./$home" || fail 1 "cannot give $user_home to uid $uid"
  mv -- "./$home" .. && leave .envspec-home || fail 1 "cannot make the home $user_home"
}

# own_mount PATH: give the user the top of what is mounted somewhere, while it is root's
own_mount() {
  enter "$1" && [ -z "$foreign" ] && [ "$(stat -c %u .)" = 0 ] || return 0
  while IFS=' ' read -r _ _ _ _ at _; do
    case $at in
      *\\*) at=$(printf '%b' "$at") ;;
    esac
    if [ "$at" = "$PWD" ]; then
      chown "$uid:$gid" . || fail 1 "cannot give $1 to uid $uid"
      return
    fi
  done < /proc/self/mountinfo
}

if [ "$uid" != 0 ]; then
  if [ -n "$name" ]; then
    [ "$gid" = 0 ] || ensure_group
    ensure_account
    ensure_home
  fi
  for mount; do own_mount "$mount"; done
fi

# What belongs to the user now is remembered: whoever takes it away later is noticed.
account "$uid"
[ -z "$name" ] || [ "$user_home" = / ] || set -- "$@" "${user_home%/}"
count=$# number=0
for place; do
  [ -d "$place" ] && [ ! -L "$place" ] && [ "$(stat -c %u:%g -- "$place")" = "$uid:$gid" ] || continue
  number=$((number + 1))
  set -- "$@" "own$number=$place"
done
shift "$count"
keep_record "$@"
