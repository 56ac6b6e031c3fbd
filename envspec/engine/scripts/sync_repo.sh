# sync_repo WORKSPACE UID GID GIT URL PATH REF DEPTH COMMIT FORCE SUBMODULES: GIT is the text of git_reason.sh and
# git.sh; stdin holds the record.
# A clone is made beside its place and moved there. A mount point cannot be replaced: there it is filled by its user.
workspace=$1 uid=$2 gid=$3 git=$4 url=$5 path=$6 ref=$7 depth=$8 commit=$9
shift 9
force=$1 submodules=$2
begin
read_record
locate "$path"
path=$located base=${located##*/}

user_git() {
  in_environment "$uid" "$gid" "$git" "$1" "$url" "$2" "$ref" "$depth" "$commit" "$force" "$submodules"
}

# vacant: whether nothing is there but what we left ourselves
vacant() {
  [ ! -L "$path" ] || return 1
  [ -e "$path" ] || return 0
  [ -d "$path" ] || return 1
  [ ! -e "$path/.git/envspec-incomplete" ] || return 0
  [ -z "$(find "$path" -mindepth 1 -maxdepth 1 ! -name .envspec-clone)" ]
}

# clone_beside: a clone in a directory of the user's own, which nobody else can put anything in the place of
clone_beside() {
  nest ".envspec-clone-$base" 711 && mkdir -- "./$base" || fail 20 "cannot make a directory beside $path"
  chown "$uid:$gid" "./$base" || fail 20 "cannot give the clone to uid $uid"
  code=0
  user_git clone "$PWD/$base" || code=$?
  if [ "$code" = 0 ] && ! mv -- "./$base" ..; then
    printf '%s\n' "cannot move the clone to $path"
    code=20
  fi
  leave ".envspec-clone-$base"
  [ "$code" = 0 ] || exit "$code"
}

own_file "$STATE/gitconfig"
{
  printf '[safe]\n\tdirectory = *\n[include]\n'
  # shellcheck disable=SC2088 # git expands the tilde
  printf '\tpath = %s\n' "$FORWARDED_GIT" '~/.config/git/config' '~/.gitconfig'
} > "$STATE/gitconfig" || fail 20 "cannot write to $STATE"
if vacant; then
  enter_parents "$path" "$uid" "$gid" "$workspace"
  if [ -d "./$base" ] && ! rmdir -- "./$base" 2> /dev/null; then
    user_git fill "$path" || exit $?
  else
    clone_beside
  fi
elif [ -e "$path/.git" ]; then
  user_git sync "$path" || exit $?
else
  fail 25 "$path exists and is no repository: move it away, or choose another path"
fi
# It is the user's git that says this.
head=$(user_git head "$path" | head -c 4096) commit='' branch=''
{ IFS= read -r commit && IFS= read -r branch; } << END
$head
END
case $commit in
  '' | *[!0-9a-f]*) fail 20 "the repository at $path has no commit" ;;
esac
set --
[ "$(stat -c %u -- "$path")" != "$uid" ] || set -- "own1=$path"
keep_record "commit=$commit" "branch=$branch" "$@"
