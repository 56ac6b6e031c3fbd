# remove_dotfiles NAME UID GID TEXT: TEXT is that of dotfiles.sh.
name=$1 uid=$2 gid=$3 text=$4
begin
entry=$STATE/ledger/$name
if [ -e "$entry" ]; then
  linked=$(sed -n 's/^link[0-9]*=//p' "$entry") home=$(sed -n 's/^home=//p' "$entry") from=$(sed -n 's/^from=//p' "$entry")
  in_environment "$uid" "$gid" "$text" unlink "$from" "$home" "$STATE/originals/$name" "$linked" '' || exit $?
fi
forget "$name"
