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

ensure_home() {
  [ ! -d "$user_home" ] || return 0
  mkdir -p -- "$user_home" || fail 1 "cannot make the home $user_home"
  [ ! -d /etc/skel ] || cp -R /etc/skel/. "$user_home" || fail 1 "cannot fill the home $user_home"
  chmod 0755 "$user_home"
  chown -R "$uid:$gid" "$user_home" || fail 1 "cannot give $user_home to uid $uid"
}

if [ "$uid" != 0 ]; then
  if [ -n "$name" ]; then
    [ "$gid" = 0 ] || ensure_group
    ensure_account
    ensure_home
  fi
  for mount; do
    if [ -d "$mount" ] && [ "$(stat -c %u -- "$mount")" = 0 ]; then
      chown "$uid:$gid" -- "$mount" || fail 1 "cannot give $mount to uid $uid"
    fi
  done
fi
keep_record
