# job_poll ID OFFSET LIMIT: describe a job, then print what it printed from OFFSET on, at most LIMIT bytes. The state is
# read first, so that nothing comes after what one that has ended shows.
find_job "$1"
describe "$dir"
tail -c "+$(($2 + 1))" "$dir/output" | head -c "$3"
