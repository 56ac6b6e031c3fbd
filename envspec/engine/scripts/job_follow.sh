# job_follow ID OFFSET FOLLOW: print what a job printed from OFFSET on, and, unless FOLLOW is "", what comes until it
# has ended.
find_job "$1"
offset=$2
while :; do
  state_of "$dir"
  size=$(stat -c %s "$dir/output")
  if [ "$size" -gt "$offset" ]; then
    tail -c "+$((offset + 1))" "$dir/output" | head -c "$((size - offset))"
    offset=$size
  fi
  if [ -z "$3" ] || [ "$job_state" != running ]; then break; fi
  sleep 0.1
done
