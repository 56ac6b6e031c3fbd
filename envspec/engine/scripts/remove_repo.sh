# remove_repo NAME PATH: remove a work tree; what is mounted below it stays.
name=$1 path=$2
begin
locate "$path"
path=$located base=${located##*/}
[ -n "$base" ] || fail 1 "refusing to remove the root directory"
if ! enter "${path%/*}" || ! for_owner "$(stat -c %u "./$base" 2> /dev/null || echo 0)"; then
  [ ! -e "$path" ] || printf '%s\n' "a link leads from $path elsewhere, so it is not ours: it is left alone"
elif [ -L "./$base" ]; then
  rm -f -- "./$base" || fail 1 "cannot remove $path"
elif [ -d "./$base" ]; then
  find "./$base" -xdev ! -type d -delete || fail 1 "cannot remove all of $path"
  find "./$base" -xdev -depth -type d -delete 2> /dev/null || :
fi
forget "$name"
