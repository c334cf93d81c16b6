#define _GNU_SOURCE
#include "launch.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Between fork and exec only async-signal-safe calls: other threads' locks may be held for ever in the child. */
pid_t pyrorec_launch(const char *path, char *const argv[], char *const envp[],
		     const struct pyrorec_identity *identity, int *go_descriptor, int *error_descriptor)
{
	int go[2], error[2];

	if (pipe2(go, O_CLOEXEC))
		return -1;
	if (pipe2(error, O_CLOEXEC)) {
		close(go[0]);
		close(go[1]);
		return -1;
	}
	pid_t child = fork();
	if (child) {
		int code = errno;
		close(go[0]);
		close(error[1]);
		if (child < 0) {
			close(go[1]);
			close(error[0]);
			errno = code;
			return -1;
		}
		*go_descriptor = go[1];
		*error_descriptor = error[0];
		return child;
	}
	close(go[1]);
	close(error[0]);
	char byte;
	ssize_t got;
	do
		got = read(go[0], &byte, 1);
	while (got < 0 && errno == EINTR);
	/* The recorder went away before it began. */
	if (got != 1)
		_exit(125);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, 0);
	signal(SIGPIPE, SIG_DFL);
	if (identity->drop && (setgroups(identity->group_count, identity->groups) || setgid(identity->group) ||
			       setuid(identity->user)))
		goto failed;
	execve(path, argv, envp);
failed:
	got = errno;
	int code = (int)got;
	if (write(error[1], &code, sizeof code) < 0)
		_exit(126);
	_exit(127);
}

int pyrorec_wait_exited(int status) { return WIFEXITED(status); }
int pyrorec_wait_exit_status(int status) { return WEXITSTATUS(status); }
int pyrorec_wait_signal(int status) { return WIFSIGNALED(status) ? WTERMSIG(status) : 0; }
