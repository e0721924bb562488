# Shows the state of task_async's future at three moments of its life.
set width 0
break task_async::say
run > /dev/null

# In the first poll, at the first line of the body. Frame 1 is that poll, frame 2 is main.
frame 2
echo \nstate in the first poll:\n
output *task.pointer
echo \n

# Frame 1 is run to its end, and with it the poll.
frame 1
finish
echo \nstate after the first poll:\n
output *task.pointer
echo \n

# The second poll has come to the last line of the body. It is run to its end too.
continue
frame 1
finish
echo \nstate after the second poll:\n
output *task.pointer
echo \n
kill
