# find_path PATH: say where a path leads, a line each: who but root can make a link that is followed (0 for nobody, -1
# for several), the owner of the directory that it is or is in, its kind, its real path. 3 where nothing is there, 4 for
# a link that leads nowhere.
at=$1 passed='' turns=0 name=''
while ! enter "$at"; do
  enter "${at%/*}" || exit 3
  name=${at##*/} turns=$((turns + 1))
  case $name in
    '' | . | ..) exit 4 ;;
  esac
  [ -L "./$name" ] || break
  [ "$turns" -lt 40 ] && leads=$(readlink "./$name") || exit 4
  follows
  case $foreign in
    "$passed" | '') ;;
    *) if [ -z "$passed" ]; then passed=$foreign; else passed=-; fi ;;
  esac
  case $leads in
    /*) at=$leads ;;
    *) at=${PWD%/}/$leads ;;
  esac
  name=''
done
case $foreign in
  "$passed" | '') foreign=$passed ;;
  *) [ -z "$passed" ] || foreign=- ;;
esac
[ "$foreign" != - ] || foreign=-1
if [ -z "$name" ]; then
  kind=directory real=$PWD
elif kind=$(stat -c %F "./$name" 2> /dev/null); then
  real=${PWD%/}/$name
elif [ "$turns" -gt 1 ]; then
  exit 4
else
  exit 3
fi
printf '%s\n' "${foreign:-0}" "$(stat -c %u .)" "$kind" "$real"
