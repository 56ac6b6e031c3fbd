# install_dotfiles UID GID TEXT PATH SCRIPTS LINKS TAKEN AGAIN: TEXT is that of dotfiles.sh; stdin holds the record.
uid=$1 gid=$2 text=$3 path=$4 scripts=$5 names=$6 taken=$7
shift 7
again=$1
begin
read_record
locate "$path"
from=$located
account "$uid"
home=$user_home
[ "$home" != / ] || fail 1 "uid $uid has no home to put dotfiles in"
[ -d "$from" ] || fail 1 "there is no directory $from"
entry=$STATE/ledger/$kept_name keep=$STATE/originals/$kept_name

# fact NAME: what the last time found out
fact() {
  sed -n "s/^$1=//p" "$entry" 2> /dev/null
}
before=$(fact way) linked=$(fact 'link[0-9]*') linked_from=$(fact from)

# as_owner PHASE FROM ARG...: a phase of dotfiles.sh as the user
as_owner() {
  owner_phase=$1 owner_from=$2
  shift 2
  in_environment "$uid" "$gid" "$text" "$owner_phase" "$owner_from" "$home" "$keep" "$@"
}

way=$(as_owner choose "$from" "$scripts" "$names") || fail 1 "$way"
mkdir -p "$keep" || fail 1 "cannot write to $STATE"
chown "$uid:$gid" "$keep" || fail 1 "cannot give $keep to uid $uid"
wanted=''
if [ "$way" = links ]; then
  wanted=$(as_owner choose_links "$from" "$names" "$taken") || fail 1 "cannot look into $from"
fi
if [ "$linked" ]; then
  stays=$wanted
  [ "$linked_from" = "$from" ] || stays=''
  as_owner unlink "$linked_from" "$linked" "$stays" || exit $?
fi
if [ "$way" = links ]; then
  as_owner link "$from" "$wanted" || exit $?
elif [ "$again" ] || [ "$way" != "$before" ]; then
  # What ran well once and now fails has not ended well.
  rm -f "$entry"
  as_owner run "$from" "$way" || exit $?
fi
rmdir "$keep" 2> /dev/null || :
IFS='
'
set -f
number=0
set --
for name in $wanted; do
  number=$((number + 1))
  set -- "$@" "link$number=$name"
done
keep_record "way=$way" "home=$home" "from=$from" "$@"
