#ifndef PYROREC_LAUNCH_H
#define PYROREC_LAUNCH_H
#include <sys/types.h>

/* Who a command runs as: `drop` 0 keeps the caller's identity. */
struct pyrorec_identity {
	int drop;
	uid_t user;
	gid_t group;
	const gid_t *groups;
	int group_count;
};

/*
 * Forks a child that waits until a byte is written to *go_descriptor and then executes `path`. If that fails, the
 * child writes its errno (an int) to *error_descriptor, which is closed without a word when it succeeds.
 * Returns the child's pid, or -1 with errno set.
 */
pid_t pyrorec_launch(const char *path, char *const argv[], char *const envp[],
		     const struct pyrorec_identity *identity, int *go_descriptor, int *error_descriptor);

/* The fields of a wait status, which are macros. */
int pyrorec_wait_exited(int status);
int pyrorec_wait_exit_status(int status);
int pyrorec_wait_signal(int status);
#endif
