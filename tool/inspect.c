/* SPDX-License-Identifier: BSD-2-Clause */
/* `vsm inspect SOCKET [PATH | COMMAND]`: the client of `vsm run --control`. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "array.h"
#include "config/closest.h"
#include "inspect/ask.h"
#include "inspect/code.h"
#include "inspect/peer.h"
#include "inspect/text.h"
#include "option.h"

enum {
	INSPECT_OK = 0,
	INSPECT_REFUSED = 1,	/* the machine returned an error */
	INSPECT_NO_MACHINE = 2, /* no machine listens on the socket, or it is not trusted */
	INSPECT_GONE = 3,	/* the machine ended before its answer */
};

#define ARGUMENTS_MAX 4
/* Has no row in `orders`, since it uses requests of other commands. */
#define CODE "code"

/* The arguments are fields of the request, in this order. */
static const struct order {
	const char *name;
	const char *argument[ARGUMENTS_MAX];
	bool listens; /* events follow the answer */
} orders[] = {
	/* clang-format off */
	{"help", {NULL}, false},
	{"memory", {"gpa", "size"}, false},
	{"gva", {"vp", "vtl", "gva", "size"}, false},
	{"pause", {NULL}, false},
	{"resume", {NULL}, false},
	{"save", {"file"}, false},
	{"core", {"file"}, false},
	{"nmi", {"vp"}, false},
	{"events", {NULL}, true},
	{"reset", {NULL}, false},
	{"quit", {NULL}, false},
	/* clang-format on */
};

struct session {
	const struct command *self; /* the subcommand, for messages */
	const char *socket;
	FILE *in; /* stream of answers */
	int out;
	bool json; /* print answers unchanged */
	struct symbols *symbols;
	char *line;
	size_t room;
};

static int no_machine(const struct session *session, int error)
{
	const char *why = strerror(error);

	if (error == ENOENT)
		why = "there is no such socket: was the machine started with --control, "
		      "and does it still run?";
	else if (error == ECONNREFUSED)
		why = "no process listens there: the machine has ended";
	else if (error == EACCES || error == EPERM)
		why = "permission denied: only the user that runs the machine may connect";
	fprintf(stderr, "vsm %s: %s: %s\n", session->self->name, session->socket, why);
	return INSPECT_NO_MACHINE;
}

static int open_session(struct session *session)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(session->socket) >= sizeof(address.sun_path))
		return no_machine(session, ENAMETOOLONG);
	memcpy(address.sun_path, session->socket, strlen(session->socket) + 1);
	session->out = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (session->out < 0)
		return no_machine(session, errno);
	if (connect(session->out, (struct sockaddr *)&address, sizeof(address))) {
		const int error = errno;

		close(session->out);
		return no_machine(session, error);
	}
	if (!inspect_peer_is_trusted(session->self, session->out, session->socket)) {
		close(session->out);
		return INSPECT_NO_MACHINE;
	}
	session->in = fdopen(session->out, "r");
	if (session->in)
		return INSPECT_OK;
	close(session->out);
	return no_machine(session, ENOMEM);
}

static void close_session(struct session *session)
{
	fclose(session->in);
	free(session->line);
}

static int gone(const struct session *session)
{
	fprintf(stderr, "vsm %s: %s: the machine ended before it had answered\n",
		session->self->name, session->socket);
	return INSPECT_GONE;
}

static bool send_request(const struct session *session, json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	size_t left, size = text ? strlen(text) : 0;
	const char *next = text;

	json_decref(request);
	if (!text)
		return false;
	text[size] = '\n'; /* replaces the terminating 0 */
	for (left = size + 1; left;) {
		const ssize_t sent = send(session->out, next, left, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		/* The machine's last answer, such as "too many clients", can still be read. */
		if (sent <= 0)
			break;
		next += sent;
		left -= (size_t)sent;
	}
	free(text);
	return true;
}

/* NULL: disconnected, or not JSON. */
static json_t *receive_value(struct session *session)
{
	const ssize_t size = getline(&session->line, &session->room, session->in);
	json_t *value;

	/* The guest may control the process of the machine, so its text is untrusted. */
	if (size > 0)
		inspect_make_printable(session->line);
	value = size > 0 ? json_loadb(session->line, (size_t)size, 0, NULL) : NULL;
	if (value && session->json)
		fputs(session->line, stdout);
	return value;
}

static void print_result(const json_t *result)
{
	const json_t *value = json_object_get(result, "value");
	const json_t *children = json_object_get(result, "children");

	if (json_object_get(result, "commands"))
		inspect_print_list(stdout, json_object_get(result, "commands"), "command");
	else if (!children)
		inspect_print_value(stdout, result);
	if (value)
		inspect_print_value(stdout, value);
	if (children && json_array_size(children)) {
		if (value)
			fputs("below it:\n", stdout);
		inspect_print_list(stdout, children, "name");
	}
}

/* The caller releases the answer. */
static int receive_answer(struct session *session, json_t **answer)
{
	const json_t *error;

	*answer = receive_value(session);
	error = json_object_get(*answer, "error");
	if (!json_is_object(*answer))
		return gone(session);
	if (!json_is_true(json_object_get(*answer, "ok"))) {
		const char *message = json_string_value(json_object_get(error, "message"));

		fprintf(stderr, "vsm %s: %s\n", session->self->name, message ? message : "refused");
		return INSPECT_REFUSED;
	}
	return INSPECT_OK;
}

static int take_answer(struct session *session)
{
	json_t *answer;
	const int status = receive_answer(session, &answer);

	if (!status && !session->json)
		print_result(json_object_get(answer, "result"));
	json_decref(answer);
	return status;
}

int inspect_request(const struct command *self, const char *socket, json_t *request,
		    json_t **result)
{
	struct session session = {.self = self, .socket = socket};
	json_t *answer = NULL;
	int status = open_session(&session);

	if (status) {
		json_decref(request);
		return status;
	}
	status = send_request(&session, request) ? receive_answer(&session, &answer)
						 : gone(&session);
	*result = json_incref(json_object_get(answer, "result"));
	json_decref(answer);
	close_session(&session);
	return status;
}

int inspect_ask(const struct command *self, const char *socket, const char *path, json_t **value)
{
	json_t *result = NULL;
	const int status = inspect_request(
		self, socket, json_pack("{s:s, s:s}", "command", "inspect", "path", path), &result);

	*value = json_incref(json_object_get(result, "value"));
	json_decref(result);
	return status;
}

/* Prints events until the machine ends. */
static int take_events(struct session *session)
{
	bool ended = false;
	json_t *event;

	fflush(stdout);
	while ((event = receive_value(session))) {
		const char *name = json_string_value(json_object_get(event, "event"));

		if (session->json)
			fflush(stdout);
		else
			inspect_print_event(stdout, event);
		ended = name && !strcmp(name, "end");
		json_decref(event);
		if (ferror(stdout))
			return COMMAND_OUTPUT;
	}
	return ended ? INSPECT_OK : gone(session);
}

static int overview(struct session *session)
{
	int status;

	if (!session->json)
		puts("Paths:");
	if (!send_request(session, json_pack("{s:s, s:s}", "command", "inspect", "path", "")))
		return gone(session);
	status = take_answer(session);
	if (status)
		return status;
	if (!session->json)
		puts("Commands:");
	return send_request(session, json_pack("{s:s}", "command", "help")) ? take_answer(session)
									    : gone(session);
}

static const struct order *find_order(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
		if (!strcmp(orders[i].name, name))
			return &orders[i];
	return NULL;
}

bool inspect_has_command(const char *name)
{
	return strcmp(name, CODE) == 0 || find_order(name);
}

/* Returns the command most similar to the unknown @word, or NULL. */
static const char *closest_order(const char *word)
{
	const char *names[ARRAY_SIZE(orders) + 1] = {CODE};

	for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
		names[i + 1] = orders[i].name;
	return closest_name(word, names, ARRAY_SIZE(names));
}

static json_t *field_of(const struct session *session, const struct order *order, int index,
			const char *word)
{
	uint64_t gva;

	if (!strcmp(order->argument[index], "gva") && inspect_address(session->symbols, word, &gva))
		return json_sprintf("%#" PRIx64, gva);
	return json_string(word);
}

static json_t *not_text(const struct command *self, json_t *request, const char *word)
{
	command_usage(self, "'%s' cannot be sent: it is not UTF-8", word);
	json_decref(request);
	return NULL;
}

/* NULL: an error was printed. */
static json_t *build(const struct command *self, const struct session *session,
		     const struct order *order, int argc, char **argv)
{
	char names[64] = "";
	const char *meant;
	json_t *request;
	size_t used = 0;
	int wanted = 0;

	if (!order) {
		if (argc == 1) {
			request = json_pack("{s:s, s:s}", "command", "inspect", "path", argv[0]);
			return request ? request : not_text(self, NULL, argv[0]);
		}
		meant = closest_order(argv[0]);
		if (meant)
			command_usage(self, "'%s' is not a command; did you mean '%s'?", argv[0],
				      meant);
		else
			command_usage(self, "'%s' is not expected after the path '%s'", argv[1],
				      argv[0]);
		return NULL;
	}
	while (wanted < ARGUMENTS_MAX && order->argument[wanted])
		wanted++;
	if (argc - 1 != wanted) {
		for (int i = 0; i < wanted; i++)
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
						 i ? ", " : ": ", order->argument[i]);
		command_usage(self, "%s takes %d argument%s%s", order->name, wanted,
			      wanted == 1 ? "" : "s", names);
		return NULL;
	}
	request = json_pack("{s:s}", "command", order->name);
	for (int i = 0; i < wanted; i++)
		if (json_object_set_new(request, order->argument[i],
					field_of(session, order, i, argv[i + 1])))
			return not_text(self, request, argv[i + 1]);
	return request;
}

static int converse(const struct command *self, struct session *session, int argc, char **argv)
{
	const struct order *order = argc ? find_order(argv[0]) : NULL;
	json_t *request = NULL;
	int status;

	if (argc) {
		request = build(self, session, order, argc, argv);
		if (!request)
			return COMMAND_USAGE;
	}
	status = open_session(session);
	if (status) {
		json_decref(request);
		return status;
	}
	if (!request)
		status = overview(session);
	else
		status = send_request(session, request) ? take_answer(session) : gone(session);
	if (!status && order && order->listens)
		status = take_events(session);
	close_session(session);
	if (status == INSPECT_REFUSED && !order && argc && closest_order(argv[0]))
		fprintf(stderr, "vsm inspect: did you mean the command '%s'?\n",
			closest_order(argv[0]));
	return status;
}

static int answer(const struct command *self, struct session *session, int argc, char **argv)
{
	if (argc == 0 || strcmp(argv[0], CODE) != 0)
		return converse(self, session, argc, argv);
	if (session->json)
		return command_usage(self, "code is text: --json has the bytes with gva");
	return inspect_code(self, session->socket, session->symbols, argc - 1, argv + 1);
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"symbols", required_argument, NULL, 's'},
		{"offset", required_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct session session = {.self = self, .out = -1};
	const char *symbols = NULL;
	uint64_t offset = 0;
	int option, status;

	while ((option = command_option(self, argc, argv, "+:js:h", options)) != -1) {
		switch (option) {
		case 'j':
			session.json = true;
			break;
		case 's':
			symbols = optarg;
			break;
		case 'o':
			if (!inspect_address(NULL, optarg, &offset))
				return command_usage(self, "--offset takes a number, not '%s'",
						     optarg);
			break;
		case 'h':
			command_print_help(self, stdout);
			return 0;
		default:
			return COMMAND_USAGE;
		}
	}
	if (optind == argc)
		return command_usage(self,
				     "which socket? It is what `vsm run --control` was given");
	session.socket = argv[optind];
	if (symbols) {
		session.symbols = symbols_open(symbols, offset);
		if (!session.symbols)
			return COMMAND_NO_INPUT;
	}
	status = answer(self, &session, argc - optind - 1, argv + optind + 1);
	symbols_close(session.symbols);
	return status;
}

const struct command command_inspect = {
	.name = "inspect",
	.summary = "inspect a running machine, pause it, save it",
	.help = "usage: vsm inspect [OPTION]... SOCKET [PATH]\n"
		"       vsm inspect [OPTION]... SOCKET COMMAND [ARGUMENT]...\n"
		"\n"
		"SOCKET is the argument of `vsm run --control`. Without more, all paths and\n"
		"commands are listed.\n"
		"\n"
		"  vp/0/vtl/1/synic       the SynIC of VTL1 on VP 0; so registers, lapic\n"
		"  partition/protection/0 VTL0's access rights by ranges of memory\n"
		"  memory GPA SIZE        up to 4096 bytes of guest memory\n"
		"  gva VP VTL GVA SIZE    memory at a virtual address of a VTL\n"
		"  code VP VTL [ADDRESS [COUNT]]\n"
		"                         instructions of a VTL, from its RIP by default\n"
		"  pause, resume          stops all processors, resumes them\n"
		"  save FILE              the whole machine, for `vsm run --restore FILE`\n"
		"  core FILE              an ELF core file, for GDB\n"
		"  nmi VP                 a non-maskable interrupt for VTL0\n"
		"  events                 prints events until the machine ends\n"
		"  reset, quit            resets the machine, ends it\n"
		"\n"
		"  -j, --json             answers unchanged, as described by\n"
		"                         " VSM_DOC_DIR "/docs/control.schema.json\n"
		"  -s, --symbols ELF      names of addresses; a GVA may be NAME or NAME+N\n"
		"      --offset N         added to the addresses of ELF: where a kernel with\n"
		"                         KASLR, or a program, was moved to\n"
		"\n"
		"Exit status: 0 done; 1 the machine refused; 2 there is no machine at SOCKET;\n"
		"3 it ended before its answer; 64 the command line is wrong; 66 the\n"
		"file of --symbols cannot be read; 74 the output could not be written.\n",
	.run = run,
};
