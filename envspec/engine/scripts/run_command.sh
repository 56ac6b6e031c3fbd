# run_command UID GID WORKDIR RETRIES INTERVAL LIMIT CREATES: stdin holds the record, then the command.
uid=$1 gid=$2 workdir=$3 retries=$4 interval=$5 limit=$6 creates=$7
begin
read_record
command=$(cat)
if [ -n "$creates" ] && { [ -e "$creates" ] || [ -L "$creates" ]; }; then
  keep_record
  exit 0
fi

# What ran well once and now fails has not ended well: its entry goes before it starts.
[ -z "$kept_name" ] || forget "$kept_name"

# shellcheck disable=SC2016 # expanded by the user's shell
in_shell='cd -- "$1" || exit 1
if command -v bash > /dev/null; then set -- "$3" bash -eo pipefail -c "$2"; else set -- "$3" sh -e -c "$2"; fi
limit=$1
shift
[ "$limit" = 0 ] || set -- timeout -k 2 "$limit" "$@"
exec "$@"'

# attempt: one try; sets code, 124 for one that took too long however it had to be ended
attempt() {
  code=0 killed_before=$(oom_kills)
  in_environment "$uid" "$gid" "$in_shell" "$workdir" "$command" "$limit" || code=$?
  if [ "$code" = 137 ] && [ "$(oom_kills)" != "$killed_before" ]; then
    printf '%s\n' 'ended by the kernel for lack of memory: ask for more `memory`, or for less work at once'
    return
  fi
  case $limit:$code in
    0:*) ;;
    *:137 | *:143) code=124 ;;
  esac
}

# owners: who owns what belonged to the user when it was made, "UID:GID PATH" a line
owners() {
  cat "$STATE"/ledger/* 2> /dev/null | sed -n 's/^own[0-9]*=//p' | while IFS= read -r place; do
    stat -c '%u:%g %n' -- "$place" 2> /dev/null
  done
}

# released: stop watching what has another owner than before: the author of a command of root's wants that
released() {
  after=$(owners)
  [ "$after" != "$before" ] || return 0
  # shellcheck disable=SC2013 # names in the ledger are digests: they hold no white space
  for entry in $(grep -ls '^own[0-9]*=' "$STATE"/ledger/*); do
    own_file "$STATE/ledger/.released"
    printf '%s\n' "$before" | gone=$after awk '
      BEGIN { count = split(ENVIRON["gone"], lines, "\n"); for (i = 1; i <= count; i++) same[lines[i]] }
      NR == FNR { if (!($0 in same)) changed[substr($0, index($0, " ") + 1)]; next }
      /^own[0-9]*=/ { if (substr($0, index($0, "=") + 1) in changed) next }
      { print }' - "$entry" > "$STATE/ledger/.released" && mv -f -- "$STATE/ledger/.released" "$entry" ||
      fail 1 "cannot write the ledger"
  done
}

before=''
[ "$uid" != 0 ] || before=$(owners)
attempt
while [ "$code" != 0 ] && [ "$retries" -gt 0 ]; do
  retries=$((retries - 1))
  sleep "$interval"
  attempt
done
[ "$uid" != 0 ] || released
[ "$code" = 0 ] || exit "$code"
keep_record
