/* Ends a container's first process at once. The kernel shields process 1 from SIGKILL sent within its namespace;
   a Go program handles SIGQUIT by dumping its stacks and exiting with 2, without any clean shutdown. */
#include <signal.h>

int main(void) { return kill(1, SIGQUIT); }
