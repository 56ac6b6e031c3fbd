# dotfiles PHASE FROM HOME KEEP ARG...: the part of install_dotfiles and remove_dotfiles that runs as their user. FROM
# is the repository; KEEP holds what was in the place of links. Lists are a word a line.
phase=$1 from=$2 home=$3 keep=$4
shift 4
IFS='
'
set -f

# choose SCRIPTS NAMES: print the script to run, make, or links
choose() {
  for script in $1; do
    if [ -f "$from/$script" ]; then
      printf '%s\n' "$script"
      return
    fi
  done
  [ "$2" ] || { printf '%s\n' "the repository of dotfiles has no $1" && exit 1; }
  if [ -f "$from/Makefile" ] && command -v make > /dev/null; then echo make; else echo links; fi
}

# is_taken NAME TAKEN: whether a name, or what is above or below it, belongs to others
is_taken() {
  for other in $2; do
    case $other/ in
      "$1"/*) return 0 ;;
    esac
    case $1/ in
      "$other"/*) return 0 ;;
    esac
  done
  return 1
}

# choose_links NAMES TAKEN: print what is there of the names and is not taken
choose_links() {
  cd -- "$from" || exit 1
  for pattern in $1; do
    set +f
    for name in $pattern; do
      set -f
      case $name in
        *'
'*) continue ;;
      esac
      if { [ -e "$name" ] || [ -L "$name" ]; } && ! is_taken "$name" "$2"; then printf '%s\n' "$name"; fi
    done
  done
}

# aside PATH NAME: keep what is in the place of a link; what is kept already stays so
aside() {
  kept=$keep/$2
  number=''
  while [ -e "$kept" ] || [ -L "$kept" ]; do
    kept=$1.before-dotfiles$number
    number=$((number + 1))
  done
  mkdir -p -- "${kept%/*}" && mv -- "$1" "$kept" || exit 1
  printf '%s\n' "$1 was there already: kept as $kept"
}

# link NAMES: link each name from home
link() {
  for name in $1; do
    place=$home/$name
    [ "$(readlink "$place")" != "$from/$name" ] || continue
    if [ -e "$place" ] || [ -L "$place" ]; then aside "$place" "$name"; fi
    mkdir -p -- "${place%/*}" && ln -s -- "$from/$name" "$place" || exit 1
    printf '%s\n' "linked $place"
  done
}

# unlink NAMES BUT: take links away but for some, and put back what was in their place
unlink() {
  for name in $1; do
    case "
$2
" in
      *"
$name
"*) continue ;;
    esac
    place=$home/$name
    [ "$(readlink "$place")" != "$from/$name" ] || rm -f -- "$place" || exit 1
    if [ -e "$keep/$name" ] || [ -L "$keep/$name" ]; then
      back=$place
      number=''
      while [ -e "$back" ] || [ -L "$back" ]; do
        back=$place.before-dotfiles$number
        number=$((number + 1))
      done
      mkdir -p -- "${back%/*}" && mv -- "$keep/$name" "$back" || exit 1
      printf '%s\n' "put back $back"
    fi
  done
}

# run WAY: make, or a script by its own interpreter, else by the shell
run() {
  cd -- "$from" || exit 1
  printf '%s\n' "running $1 of the dotfiles"
  unset IFS
  set +f
  if [ "$1" = make ]; then exec make; fi
  IFS= read -r first < "$1" || :
  case $first in
    *"$(printf '\r')")
      printf '%s\n' "$1 has carriage returns at its line ends (^M), so that it would not do what it says: not run"
      exit 1
      ;;
  esac
  if [ -x "$1" ]; then exec "./$1"; fi
  if command -v bash > /dev/null; then exec bash "$1"; fi
  exec sh "$1"
}

case $phase in
  choose) choose "$@" ;;
  choose_links) choose_links "$@" ;;
  link) link "$@" ;;
  unlink) unlink "$@" ;;
  run) run "$@" ;;
esac
