# job_wait ID HUNDREDTHS: wait until a job has ended, or for so long (for ever when it is -1), and describe it.
find_job "$1"
start=$(hundredths)
state_of "$dir"
while [ "$job_state" = running ]; do
  [ "$2" = -1 ] || [ $(($(hundredths) - start)) -lt "$2" ] || break
  sleep 0.1
  state_of "$dir"
done
describe "$dir"
