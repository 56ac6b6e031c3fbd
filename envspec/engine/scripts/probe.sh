# probe REPO JOB: REPO and JOB are the texts of repo.sh and job.sh. stdin holds the mark, which begins the line before
# each part of the answer, then the questions, "LETTER VALUE" a line. Changes nothing inside. Whoever works inside can
# read every command line there: what could make an answer up never learns the mark, and so the mark is in none.
set -u
STATE=/var/lib/envspec
RUN=/run/envspec
LONGEST=268435456 # bytes of a file that is looked into
repo=$1 job=$2
IFS= read -r mark || exit 0
input=$(cat)
nl='
'

part() {
  printf '\n%s %s\n' "$mark" "$1"
}
# has LETTER: whether there is a question of one kind; a process less each for those that nobody asked
has() {
  case $nl$input in
    *"$nl$1 "*) ;;
    *) return 1 ;;
  esac
}
# values LETTER: the values of one kind of question, a line each
values() {
  ! has "$1" || printf '%s\n' "$input" | sed -n "s/^$1 //p"
}

# home UID: the home of a user, as in prelude.sh
home() {
  while IFS=: read -r _ _ uid _ _ found _; do
    if [ "$uid" = "$1" ]; then
      printf '%s\n' "${found%/}"
      return
    fi
  done < /etc/passwd
}

# A path that begins with ~UID/ is below the home of that user.
uids=''
case $input in
  *' ~'*) uids=$(printf '%s\n' "$input" | sed -n 's|^[A-Z] ~\([0-9]*\)/.*|\1|p' | sort -u) ;;
esac
for uid in $uids; do
  input=$(printf '%s\n' "$input" | home=$(home "$uid") awk -v prefix="~$uid/" '
    index($0, prefix) == 3 {
      rest = substr($0, length(prefix) + 3)
      print substr($0, 1, 2) ENVIRON["home"] (rest != "" || ENVIRON["home"] == "" ? "/" rest : "")
      next
    }
    { print }')
done

# is_plain FILE: whether something is a file, and reading it comes to an end
is_plain() {
  [ -f "$1" ] && [ ! -L "$1" ]
}

# limited SECONDS COMMAND...: end a command that takes too long, where the image can
limited() {
  if ! command -v timeout > /dev/null; then shift; else set -- timeout -k 1 "$@"; fi
  "$@"
}

part ledger
if [ -d "$STATE/ledger" ] && [ ! -L "$STATE" ] && [ ! -L "$STATE/ledger" ]; then
  set --
  for file in "$STATE"/ledger/*; do ! is_plain "$file" || set -- "$@" "$file"; done
  # ends the last line of each file, also of one that was cut off
  [ $# = 0 ] || awk 1 "$@" 2> /dev/null
fi
part passwd
cat /etc/passwd
part jobs
[ ! -d "$STATE/jobs" ] || (
  eval "$job"
  for link in "$JOBS"/*; do
    if [ -L "$link" ] && state_of "$link" && [ "$job_state" = running ]; then printf '%s\n' "${link##*/}"; fi
  done
)
if is_plain "$RUN/env"; then
  part environment
  cat "$RUN/env"
fi

if is_plain "$RUN/seals"; then
  part seals
  cat "$RUN/seals"
  key=$(sed -n 's/^key //p' "$RUN/seals")
  while IFS= read -r line; do
    path=$RUN/${line#file }
    if [ "$line" != "${line#file }" ] && is_plain "$path"; then
      inner=$({ printf '%s' "$key" && cat "$path"; } | sha256sum)
      outer=$(printf '%s%s' "$key" "${inner%% *}" | sha256sum)
      printf 'is %s %s %s\n' "${outer%% *}" "$(stat -c '%a %u %g' "$path")" "${line#file }"
    fi
  done < "$RUN/seals"
fi

IFS=$nl
set -f
# shellcheck disable=SC2046 # one word a line
set -- $(values E)
part exists
for path; do
  if [ -e "$path" ] || [ -L "$path" ]; then printf '%s\n' "$path"; fi
done

# shellcheck disable=SC2046 # one word a line
set -- $(values F)
if [ $# -gt 0 ]; then
  part stat
  described=$(stat -c '%h %s %f %u %g %n' -- "$@" 2> /dev/null)
  # What is mounted and has no name left on the host, such as the socket of an agent that ended, is gone.
  printf '%s\n' "$described" | sed '/^0 /d; s/^[0-9]* [0-9]* //'
  count=$#
  links=''
  # Where somebody made a link above it, a file may be one of the kernel's that never ends.
  for path; do
    if [ -L "$path" ]; then
      links=$links$path$nl
    elif [ -f "$path" ] && cd -P -- "${path%/*}/" 2> /dev/null; then
      case $PWD/ in
        /proc/* | /sys/* | /dev/*) ;;
        *) set -- "$@" "$path" ;;
      esac
    fi
  done
  cd /
  shift "$count"
  part sha256
  case $described in
    *' '[1-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]*)
      long=$nl$(find -L /dev/null "$@" -prune -size +"$LONGEST"c 2> /dev/null)$nl
      count=$#
      for path; do
        case $long in
          *"$nl$path$nl"*) ;;
          *) set -- "$@" "$path" ;;
        esac
      done
      shift "$count"
      ;;
  esac
  # Somebody may put a fifo in the place of a file between the look and the read: then each is read for itself.
  if [ $# -gt 0 ]; then
    sums=$(limited 30 sha256sum -- "$@" 2> /dev/null)
    if [ $? = 124 ]; then
      for path; do [ ! -f "$path" ] || limited 5 sha256sum -- "$path" 2> /dev/null; done
    else
      printf '%s\n' "$sums"
    fi
  fi
  for path in $links; do
    sum=$(printf '%s' "$(readlink "$path")" | sha256sum)
    printf '%s  %s\n' "${sum%% *}" "$path"
  done
fi

# K is the name in the ledger of what made links: those that are gone or lead elsewhere
# shellcheck disable=SC2046 # one word a line
set -- $(values K)
[ $# = 0 ] || part unlinked
for name; do
  entry=$STATE/ledger/$name
  is_plain "$entry" || continue
  at=$(sed -n 's/^home=//p' "$entry") from=$(sed -n 's/^from=//p' "$entry")
  sed -n 's/^link[0-9]*=//p' "$entry" | while IFS= read -r link; do
    [ "$(readlink "$at/$link")" = "$from/$link" ] || printf '%s\n' "$at/$link"
  done
done 2> /dev/null

# user: the uid of the environment's user, as far as it is known
user=''
! is_plain "$STATE/user" || IFS= read -r user < "$STATE/user"

# owner_of REPOSITORY: set owner and group to whom git, which does what a repository's configuration says, runs as there.
# That is root only where nobody else can write the configuration.
owner_of() {
  found=$(stat -c '%u %g %a' -- "$1/.git" "$1/.git/config" 2> /dev/null)
  IFS=' ' read -r owner group _ << END
$found
END
  [ "$owner" = 0 ] && [ "$user" != 0 ] || return 0
  while IFS=' ' read -r uid _ mode; do
    [ "$uid" = 0 ] && [ $((0$mode & 022)) = 0 ] || owner=65534 group=65534
  done << END
$found
END
}

# as_owner TEXT ARG...: run shell text as that owner, who may be anybody, with the image's variables
as_owner() {
  text='eval "$ENVSPEC_IMAGE"
unset ENVSPEC_IMAGE
'$1
  shift
  if [ "$owner" = 0 ] && [ "$user" != 0 ]; then
    /bin/sh -c "${text#*ENVSPEC_IMAGE"$nl"}" envspec "$@"
  elif [ "$owner" = 0 ]; then
    /bin/sh -c "$text" envspec "$@"
  elif setpriv --reuid "$owner" --regid "$group" --clear-groups /bin/sh -c "$text" envspec "$@" 2> /dev/null; then
    :
  else
    name=$(while IFS=: read -r name _ uid _; do [ "$uid" != "$owner" ] || echo "$name"; done < /etc/passwd | head -n 1)
    [ -z "$name" ] || su -p -s /bin/sh -c "$text" -- "$name" envspec "$@"
  fi < /dev/null 2> /dev/null
}

# state_of PATH: repo, empty or other
state_of() {
  if [ ! -d "$1" ] || [ -L "$1" ]; then
    echo other
  elif [ -e "$1/.git/envspec-incomplete" ]; then
    echo empty
  elif [ -e "$1/.git" ]; then
    echo repo
  elif [ -z "$(find "$1" -mindepth 1 -maxdepth 1 ! -name .envspec-clone)" ]; then
    echo empty
  else
    echo other
  fi
}

# ── files made outside any window ──

# windows: "start end" a line, in seconds; a missing start is the beginning, a missing end is not yet
gnu=''
if { has R || has U; } && find / -maxdepth 0 -printf '' 2> /dev/null; then gnu=1; fi
# S is the name of a mark: what is older than it counts as made in a window
mark_of=$(values S) since=''
[ -z "$mark_of" ] || since=$(stat -c %Y "$STATE/marks/$mark_of" 2> /dev/null)
if [ "$since" ] && [ "$gnu" ]; then since=$(find "$STATE/marks/$mark_of" -printf '%T@'); fi
windows() {
  [ -z "$since" ] || printf '%s %s end\n' "$since" "$STATE/windows/since"
  if [ "$gnu" ]; then
    find "$STATE/windows" -mindepth 2 -type f -printf '%T@ %h %f\n' 2> /dev/null
  else
    find "$STATE/windows" -mindepth 2 -type f 2> /dev/null | while IFS= read -r file; do
      printf '%s %s %s\n' "$(stat -c %Y "$file")" "${file%/*}" "${file##*/}"
    done
  fi
}

# made ROOT [PATH...]: "ctime uid path" of every file below a root that is not passed over, the given paths being so too.
# N and P are patterns of names and paths: the table of what does not count as work.
made() {
  root=$1
  shift
  passed=$*
  set -- -path "$STATE"
  for path in $(values P) $passed; do
    set -- "$@" -o -path "$path"
  done
  for name in $(values N); do
    set -- "$@" -o -name "$name"
  done
  if [ "$gnu" ]; then
    find "$root" -xdev \( "$@" \) -prune -o \( -type f -o -type l \) -printf '%C@ %U %p\n' 2> /dev/null
  else
    find "$root" -xdev \( "$@" \) -prune -o \( -type f -o -type l \) -exec stat -c '%Z %u %n' {} + 2> /dev/null
  fi
}

# dpkg_runs: "dpkg START END" of every run of dpkg, in seconds, by its log, which has local time
dpkg_runs() {
  [ -f /var/log/dpkg.log ] && [ ! -L /var/log/dpkg.log ] || return 0
  awk -v zone="$(date +%z)" '
    function seconds(day, time,    d, t, y, m, n) {
      split(day, d, "-"); split(time, t, ":")
      y = d[1] - (d[2] <= 2); m = (d[2] + 9) % 12
      n = 365 * y + int(y / 4) - int(y / 100) + int(y / 400) + int((153 * m + 2) / 5) + d[3] - 719469
      return n * 86400 + t[1] * 3600 + t[2] * 60 + t[3] - offset
    }
    BEGIN {
      offset = (substr(zone, 2, 2) * 60 + substr(zone, 4, 2)) * 60
      if (substr(zone, 1, 1) == "-") offset = -offset
    }
    $1 !~ /^[0-9]+-[0-9]+-[0-9]+$/ || $2 !~ /^[0-9]+:[0-9]+:[0-9]+$/ { next }
    { now = seconds($1, $2) }
    $3 == "startup" || first == "" { if (first != "") print "dpkg", first, last; first = now }
    { last = now + 2 }
    END { if (first != "") print "dpkg", first, last }' /var/log/dpkg.log
}

# no_links: the paths on stdin but for links into packages that a manager installed; L is a pattern of where they lead
no_links() {
  links=$(values L)
  while IFS= read -r path; do
    if [ -L "$path" ]; then
      target=$(readlink -- "$path")
      for link in $links; do
        # shellcheck disable=SC2254 # it is a pattern
        case $target in
          $link) continue 2 ;;
        esac
      done
    fi
    printf '%s\n' "$path"
  done
}

# read_records: the lists that packages of Python keep of their files, "UID T TOP" before the lines of each, which are
# "UID LINE"; records has "R UID CTIME TOP" a line. Who has a list reads it, no longer than lists are and not for long:
# it may be a link or a fifo by then.
# shellcheck disable=SC2016 # expanded by the owner's shell
lists='limit=""
! command -v timeout > /dev/null || limit="timeout 5"
for top; do
  cd -P -- "$top" && [ "$PWD" = "$top" ] && [ -f ./RECORD ] && [ ! -L ./RECORD ] || continue
  printf "T %s\n" "$top"
  $limit head -c 4194304 ./RECORD || exit 0
  echo
done'
read_records() {
  for owner in $(printf '%s' "$records" | cut -d ' ' -f 2 | sort -u); do
    group=$owner
    # shellcheck disable=SC2046 # one path a line
    as_owner "$lists" $(printf '%s' "$records" | sed -n "s/^R $owner [^ ]* //p") | sed "s/^/$owner /"
  done
}

# unvouched: the paths on stdin, "F UID CTIME PATH" each behind records of the form above, but for what a list of the
# same owner has of its own installation outside the directory of packages, and nobody changed since
unvouched() {
  records=''
  while IFS= read -r line; do
    case $line in
      'R '*) records=$records$line$nl ;;
      *) break ;;
    esac
  done
  {
    if [ -n "$records" ]; then
      printf '%s' "$records"
      read_records
    fi
    printf '.\n%s\n' "$line"
    cat
  } | awk '
    state == "" && $0 == "." { state = "files"; next }
    state == "" && $1 == "R" {
      top = substr($0, length($2) + length($3) + 5)
      owner[top] = $2; time[top] = $3 + 2
      next
    }
    state == "" && $2 == "T" && (substr($0, length($1) + 4) in owner) {
      top = substr($0, length($1) + 4)
      mine = owner[top] == $1
      base = top; sub("/[^/]*$", "", base)
      prefix = base
      if (!sub("/lib(64)?/[^/]+/(site|dist)-packages$", "/", prefix)) prefix = base "/"
      next
    }
    state == "" && mine {
      line = substr($0, length($1) + 2)
      if (line !~ "^([.][.]/|/)") next
      sub(",[^,]*,[^,]*$", "", line)
      part = base
      while (sub("^[.][.]/", "", line)) sub("/[^/]*$", "", part)
      path = substr(line, 1, 1) == "/" ? line : part "/" line
      rest = index(path, prefix) == 1 ? substr(path, length(prefix) + 1) : ""
      if (rest !~ "^(bin|sbin|etc|include|lib|lib64|libexec|man|share)/" || rest ~ "/[.][.]/") next
      uid[path] = $1; since[path] = time[top]
    }
    $1 == "F" && state == "files" {
      path = substr($0, length($2) + length($3) + 5)
      if (!(path in uid) || uid[path] != $2 || $3 + 0 > since[path]) print path
    }'
}

# outside ROOT [PATH...]: files of a root, but for the given paths, outside every window that counts on its filesystem
outside() {
  skip=initial
  [ "$(stat -c %d -- "$1")" = "$(stat -c %d /)" ] || skip=rootfs
  {
    windows | grep -v "/$skip "
    [ "$skip" = rootfs ] || dpkg_runs
    echo .
    made "$@"
  } | awk -v exact="$gnu" '
    state == "" && $0 == "." { merge(); state = "files"; next }
    state == "" && $1 == "dpkg" { begun[++runs] = $2; over[runs] = $3; next }
    state == "" {
      key = $2
      if ($3 == "start") start[key] = $1; else end[key] = $1 + (exact ? 0 : 1)
      seen[key] = 1
      next
    }
    /^[0-9.]+ [0-9]+ \// {
      path = substr($0, length($1) + length($2) + 3)
      top = path; sub("/[^/]*$", "", top); name = substr(path, length(top) + 2)
      if (name == "CACHEDIR.TAG") tagged[top]
      if (name == "pyvenv.cfg") environment[top]
      low = 1; high = merged; inside = 0
      while (low <= high) {
        middle = int((low + high) / 2)
        if ($1 + 0 < from[middle]) high = middle - 1
        else if ($1 + 0 > to[middle]) low = middle + 1
        else { inside = 1; break }
      }
      if (inside || by_dpkg(path, $1 + 0)) next
      if (name == "RECORD" && top ~ "[-]packages/[^/]*[.]dist-info$") print "R", $2, $1, top
      if (path !~ "/(site|dist)-packages/") { found[++count] = path; facts[count] = "F " $2 " " $1 " " }
    }
    END { for (i = 1; i <= count; i++) if (is_work(found[i])) print facts[i] found[i] }
    function by_dpkg(path, time,    i) {
      if (path !~ "^/(usr|etc|var|lib|lib64|bin|sbin)/" || path ~ "^/usr/local/") return 0
      for (i = 1; i <= runs; i++) if (time >= begun[i] && time <= over[i]) return 1
      return 0
    }
    function is_work(path,    top, rest) {
      top = path
      while (sub("/[^/]*$", "", top)) {
        if (top in environment) {
          rest = substr(path, length(top) + 2)
          return rest !~ "^(pyvenv[.]cfg|CACHEDIR[.]TAG|[.]gitignore|[.]lock|lib64|include/.*|bin/(python|pypy|activate|Activate|deactivate|pydoc)[^/]*)$"
        }
        if (top in tagged) return 0
      }
      return 1
    }
    function merge(    key, n, i, j, a, b) {
      for (key in seen) {
        a = (key in start) ? start[key] + 0 : 0
        b = (key in end) ? end[key] + 0 : 1e18
        for (i = ++n; i > 1 && first[i - 1] > a; i--) { first[i] = first[i - 1]; last[i] = last[i - 1] }
        first[i] = a; last[i] = b
      }
      for (i = 1; i <= n; i++) {
        if (merged && first[i] <= to[merged]) { if (last[i] > to[merged]) to[merged] = last[i] }
        else { merged++; from[merged] = first[i]; to[merged] = last[i] }
      }
    }' | unvouched | no_links
}

# ── repositories ──

# R is a path, C is "INDEX NAME": the name in the ledger of the repository at that index
index=0
for path in $(values R); do
  if [ -e "$path" ] || [ -L "$path" ]; then
    state=$(state_of "$path")
    part "repo $index state"
    printf '%s\n' "$state"
    name=$(values "C $index")
    commit=''
    ! is_plain "$STATE/ledger/${name:-.}" || commit=$(sed -n 's/^commit=//p' "$STATE/ledger/$name")
    if [ "$state" = repo ]; then
      owner_of "$path"
      facts=$(as_owner "$repo" "$path" "$commit" | head -c 4194304)
      part "repo $index facts"
      printf '%s\n' "$facts"
      # Only a repository with local changes is searched for those that no command of ours made.
      if printf '%s\n' "$facts" | grep -q '^[12u?] '; then
        part "repo $index by-hand"
        outside "$path" "$path/.git" | cut -c "$((${#path} + 2))-"
      fi
    fi
  fi
  index=$((index + 1))
done

roots=$(values U)
if [ -n "$roots" ]; then
  part hollow
  for root in $roots; do
    if [ "$root" != / ] && [ -d "$root" ] && [ -z "$(made "$root" | awk -v since="$since" '
      $1 + 0 > since + 0 { print; exit }')" ]; then printf '%s\n' "$root"; fi
  done
  part undeclared
  for root in $roots; do
    # shellcheck disable=SC2046 # one path a line
    [ ! -d "$root" ] || outside "$root" $(values D)
  done | LC_ALL=C sort -u | head -n 200
fi
part end
