/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "array.h"
#include "control/control.h"
#include "file/journal.h"
#include "file/notify.h"
#include "gdb/gdb.h"
#include "run/parts.h"
#include "sandbox/limits.h"
#include "save/save.h"

/* ------------------------------------------------------------------ signals */

/* SIGQUIT dumps the registers; the others end the machine. */
static const int signal_numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, VMM_SANDBOX_SIGNAL};

/* New threads inherit the mask. */
static int take_signals(const struct vsm_log *log)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(signal_numbers); i++)
		sigaddset(&set, signal_numbers[i]);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	/* SIGPIPE of a closed console must not end the machine. */
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? vsm_error(log, errno, "signals: %s", strerror(errno)) : fd;
}

/* Ends the process without waiting for any thread. */
static _Noreturn void exit_at_once(struct vmm_guest *guest, int signal)
{
	vmm_terminal_restore(&guest->console.terminal);
	vmm_trace_abandon(&guest->trace);
	vmm_control_abandon(guest->control);
	vmm_gdb_abandon(guest->debugger);
	_exit(128 + signal);
}

/*
 * A second signal exits immediately, in case the shutdown hangs. So does a refused system call: the
 * guest may control the thread that made it.
 */
static void handle_signal(struct vmm_guest *guest, int fd)
{
	struct signalfd_siginfo info;
	char call[64];

	if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (vmm_sandbox_violation(&info, call, sizeof(call))) {
		(void)vsm_error(guest->log, EPERM,
				"the sandbox refused system call %s: the machine ends", call);
		exit_at_once(guest, SIGSYS);
	}
	if (info.ssi_signo == SIGQUIT) {
		vmm_describe(guest);
		return;
	}
	if (atomic_load(&guest->stopper.why) == VMM_SIGNAL)
		exit_at_once(guest, (int)info.ssi_signo);
	vmm_stop_processors(&guest->stopper, VMM_SIGNAL, (int)info.ssi_signo);
}

/* ------------------------------------------------------------------ runs and stops of the VPs */

static enum vmm_reason wait_for_stop(struct vmm_guest *guest, int signals, int *detail)
{
	struct pollfd wait[] = {{.fd = signals, .events = POLLIN},
				{.fd = guest->stopper.event, .events = POLLIN}};
	enum vmm_reason why = VMM_GOING;

	for (;;) {
		const enum vmm_reason now = vmm_stopper_look(&guest->stopper, detail);

		if (now != why)
			vmm_processors_kick(guest);
		why = now;
		/* A VP must not wait for a slow reader of its output when the machine ends. */
		if (why > VMM_RESET)
			vmm_backend_stop(&guest->console);
		if (why != VMM_GOING && atomic_load(&guest->running) == 0)
			return why;
		if (poll(wait, 2, -1) > 0 && wait[0].revents)
			handle_signal(guest, signals);
	}
}

static enum vmm_reason run_until_end(struct vmm_guest *guest, int signals, int *detail)
{
	bool ready = false;

	for (;;) {
		enum vmm_reason why;

		if (!atomic_load(&guest->paused) && vmm_processors_start(guest))
			vmm_stop_processors(&guest->stopper, VMM_ERROR, -1);
		else if (!ready)
			vmm_notify(guest->service, atomic_load(&guest->paused)
							   ? "READY=1\nSTATUS=paused"
							   : "READY=1");
		ready = true;
		why = wait_for_stop(guest, signals, detail);
		vmm_processors_join(guest);
		if (why > VMM_RESET || (why == VMM_RESET && !guest->config->kernel))
			return why;
		/* Before orders are executed, so that a later order stops the VPs again. */
		vmm_stopper_done(&guest->stopper, why);
		if (why == VMM_RESET) {
			if (vmm_guest_reset(guest) || vmm_guest_boot(guest)) {
				*detail = -1;
				return VMM_ERROR;
			}
			vmm_guest_event(guest, VMM_EVENT_RESET, 0, 0);
		}
		vmm_orders_execute(guest);
	}
}

static int conclude(const struct vmm_guest *guest, enum vmm_reason why, int detail, char *words,
		    size_t size)
{
	switch (why) {
	case VMM_EXIT:
		snprintf(words, size, "the guest ended with status %d", detail);
		return detail;
	case VMM_CRASH:
		vmm_describe(guest);
		snprintf(words, size, "the guest crashed on processor %d", detail);
		return VMM_CRASHED;
	case VMM_SIGNAL:
		snprintf(words, size, "ended by signal %d", detail);
		return 128 + detail;
	case VMM_USER:
		snprintf(words, size, "ended by the user");
		return VMM_OFF;
	case VMM_POWER_OFF:
		snprintf(words, size, "the guest switched off");
		return VMM_OFF;
	case VMM_RESET:
		vsm_log(guest->log, VSM_LOG_ERROR,
			"the guest reset, and there is no kernel to boot: add one to "
			"--restore");
		snprintf(words, size, "the guest reset");
		return VMM_NO_KERNEL;
	case VMM_GOING:
	case VMM_ORDER:
	case VMM_ERROR:
		break;
	}
	if (detail >= 0)
		vmm_describe(guest);
	snprintf(words, size, "a host error ended the machine");
	return VMM_FAILED;
}

static double seconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) + 1e-9 * (double)(now.tv_nsec - start->tv_nsec);
}

static int run_guest(struct vmm_guest *guest, int signals, const struct timespec *start)
{
	char words[64];
	enum vmm_reason why;
	int status, detail = 0;

	if (guest->control && vmm_control_begin(guest->control, guest))
		return VMM_NOT_STARTED;
	if (guest->debugger && vmm_gdb_begin(guest->debugger, guest, guest->config->paused))
		return VMM_NOT_STARTED;
	if (vmm_input_start(guest))
		return VMM_NOT_STARTED;
	why = run_until_end(guest, signals, &detail);
	vmm_notify(guest->service, "STOPPING=1");
	vmm_gdb_end(guest->debugger, guest);
	vmm_input_join(guest);
	vmm_terminal_restore(&guest->console.terminal);
	status = conclude(guest, why, detail, words, sizeof(words));
	if (vmm_trace_end(&guest->trace) && status == VMM_OFF)
		status = VMM_FAILED;
	vmm_control_end(guest->control, status);
	vmm_summary(guest, status, words, seconds_since(start));
	return status;
}

static int run_with_console(struct vmm_guest *guest, struct vmm_sandbox *sandbox, int signals,
			    const struct timespec *start)
{
	int status = VMM_NOT_STARTED;

	if (vmm_backend_open(&guest->console, guest->config, guest->log))
		return status;
	if (!vmm_sandbox_filter(sandbox, guest->log) &&
	    (!guest->trace.path || !vmm_trace_begin(&guest->trace, guest->partition,
						    guest->config->cpus, guest->sandbox)))
		status = run_guest(guest, signals, start);
	vmm_backend_close(&guest->console);
	return status;
}

static int run_with_files(struct vmm_guest *guest, struct vmm_sandbox *sandbox,
			  const struct timespec *start)
{
	const struct vmm_config *config = guest->config;
	int signals, status = VMM_NOT_STARTED;

	if (config->trace && vmm_trace_open(&guest->trace, config->trace, guest->log))
		return status;
	if (config->control && vmm_control_open(&guest->control, config->control, guest->log))
		return status;
	if (config->gdb &&
	    vmm_gdb_open(&guest->debugger, config->gdb, guest->tcp_table, guest->log))
		return status;
	signals = take_signals(guest->log);
	if (signals < 0)
		return status;
	if (!vmm_guest_create(guest)) {
		if (!(guest->saved ? vmm_saved_load(guest->saved, guest) : vmm_guest_boot(guest)))
			status = run_with_console(guest, sandbox, signals, start);
		/* If run_guest() failed early, it has called neither of these. */
		vmm_gdb_end(guest->debugger, guest);
		vmm_control_end(guest->control, status);
		vmm_guest_destroy(guest);
	}
	close(signals);
	return status;
}

/* The configuration is checked, and the process restricted to its files. */
static int run_checked(struct vmm_guest *guest, struct vmm_sandbox *sandbox,
		       const struct timespec *start)
{
	int status = VMM_NOT_STARTED;

	if (vmm_stopper_init(&guest->stopper)) {
		(void)vsm_error(guest->log, EMFILE, "no free descriptor for stop requests");
		return status;
	}
	if (vmm_orders_init(&guest->orders)) {
		(void)vsm_error(guest->log, EMFILE, "no free descriptor for control orders");
	} else {
		status = run_with_files(guest, sandbox, start);
		vmm_orders_destroy(&guest->orders);
	}
	vmm_stopper_destroy(&guest->stopper);
	vmm_control_close(guest->control);
	vmm_gdb_close(guest->debugger);
	vmm_trace_close(&guest->trace);
	vmm_sandbox_end(sandbox);
	return status;
}

static int run_config(const struct vmm_config *config, const struct vmm_saved *saved,
		      const struct vsm_log *log)
{
	struct vmm_sandbox sandbox;
	struct vmm_guest guest = {.config = config,
				  .log = log,
				  .saved = saved,
				  .paused = config->paused && !config->gdb,
				  .sandbox = &sandbox,
				  .journal = vmm_is_journal(STDERR_FILENO),
				  .service = -1};
	int status = VMM_NOT_STARTED;
	struct timespec start;

	clock_gettime(CLOCK_MONOTONIC, &start);
	vmm_limits_raise(config, log);
	if (!config->check)
		guest.service = vmm_notify_open(log);
	if (!vmm_gdb_table(config->gdb, &guest.tcp_table, log) &&
	    !vmm_sandbox_begin(&sandbox, config, log) && !vmm_check(config, log)) {
		if (config->check) {
			vsm_log(log, VSM_LOG_INFO,
				"the configuration and the files to load are right");
			status = VMM_OFF;
		} else {
			status = run_checked(&guest, &sandbox, &start);
		}
	}
	if (guest.tcp_table >= 0)
		close(guest.tcp_table);
	if (guest.service >= 0)
		close(guest.service);
	return status;
}

int vmm_run(const struct vmm_config *config, const struct vsm_log *log)
{
	struct vmm_config restored = *config;
	struct vmm_saved saved;
	int status;

	if (!config->restore)
		return run_config(config, NULL, log);
	if (vmm_saved_open(&saved, config->restore, log))
		return VMM_NOT_STARTED;
	vmm_saved_config(&saved, &restored);
	status = run_config(&restored, &saved, log);
	vmm_saved_close(&saved);
	return status;
}
