# job_start ID JOB-TOKEN UID GID WORKDIR LIMIT < TAR: the tar holds "meta", "command", "supervise", "enter", and
# "stdin" where there is any. Prints "new" or "known", and describes the job.
id=$1 token=$2 uid=$3 gid=$4 workdir=$5 limit=$6
command -v setsid > /dev/null || fail 1 "a job needs setsid, of util-linux or busybox, in the image"
mkdir -p "$JOBS" || fail 1 "cannot write to $STATE"

# What a start that was killed left: no link leads there, and nobody is at it any more.
linked=$(for link in "$JOBS"/*; do [ ! -L "$link" ] || readlink "$link"; done)
find "$JOBS" -mindepth 1 -maxdepth 1 -name '.*' -type d -mmin +60 | while IFS= read -r old; do
  printf '%s\n' "$linked" | grep -qxF -- "${old##*/}" || rm -rf -- "$old"
done

stage "$JOBS"
dir=$JOBS/.$token
if ! touch "$STAGE/command" "$STAGE/output" || ! mv "$STAGE" "$dir"; then fail 1 "cannot write to $JOBS"; fi
STAGE=''
supervised "$dir"
if ! ln -sn ".$token" "$JOBS/$id" 2> /dev/null; then
  rm -rf "$dir"
  find_job "$id"
  echo known
  describe "$dir"
  exit 0
fi
setsid /bin/sh "$dir/supervise" "$dir" "$token" "$uid" "$gid" "$workdir" "$limit" < /dev/null > /dev/null 2>&1 3>&- &
while read -r pid _ < "$dir/supervisor" && [ "$pid" = $$ ] && kill -0 $! 2> /dev/null; do sleep 0.02; done
echo new
describe "$dir"
