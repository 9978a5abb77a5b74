/* An NSS module for tests: a table of names, and what becomes of a lookup of each.
 *
 * Compiled twice, as `probe` for names below `probe` and as `mdns4` for names below `local`:
 *
 *     cc -shared -fPIC -DMODULE=probe '-DDOMAIN=".probe"' -o libnss_probe.so.2 nss_module.c
 *
 * The C library asks gethostbyname4_r for both families at once, and gethostbyname3_r for one. The
 * second has no place for a scope. Each call is a line in the file that OUTRACE_NSS_LOG names. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <nss.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum event { AT_ONCE, LATE, NEVER, GATED, TRY_LATER, BROKEN };

/* A record of `name`, below DOMAIN. All of one name have the same canonical name. */
struct record {
  const char *name;
  int family;
  const char *address;
  enum event event;
  uint32_t scope;
  const char *canonical;
};

static const struct record records[] = {
  {"plain", AF_INET, "192.0.2.1"},
  {"plain", AF_INET6, "2001:db8::1"},
  {"v4only", AF_INET, "192.0.2.4"},
  {"both", AF_INET, "192.0.2.5"},
  {"both", AF_INET6, "2001:db8::5"},
  /* In no order that a sort would give. */
  {"many", AF_INET, "192.0.2.12"},
  {"many", AF_INET, "192.0.2.11"},
  {"many", AF_INET6, "2001:db8::13"},
  {"many", AF_INET, "192.0.2.13"},
  {"many", AF_INET6, "2001:db8::11"},
  {"late6", AF_INET, "192.0.2.6"},
  {"late6", AF_INET6, "2001:db8::6", LATE},
  {"hang", AF_INET, "192.0.2.7", NEVER},
  {"hang", AF_INET6, "2001:db8::7", NEVER},
  {"gate", AF_INET, "192.0.2.8", GATED},
  {"gate", AF_INET6, "2001:db8::8", GATED},
  {"bytes", AF_INET, "192.0.2.9", .canonical = "caf\xe9.probe"},
  {"again", AF_INET, "192.0.2.10", TRY_LATER},
  {"again", AF_INET6, "2001:db8::10", TRY_LATER},
  {"fail", AF_INET, "192.0.2.10", BROKEN},
  {"fail", AF_INET6, "2001:db8::10", BROKEN},
  {"half", AF_INET, "192.0.2.14"},
  {"half", AF_INET6, "2001:db8::14", TRY_LATER},
  {"scoped", AF_INET6, "fe80::1234", .scope = 1},
  {"unscoped", AF_INET6, "fe80::1235"},
};

static const struct record *const end = records + sizeof records / sizeof *records;

/* What stands before DOMAIN; of `n7.hang.probe` it is `hang`. NULL for another name. */
static const char *label_of(const char *name, char label[64]) {
  size_t length = strlen(name);
  if (length && name[length - 1] == '.') length--;
  size_t domain = strlen(DOMAIN);
  if (length <= domain || strncasecmp(name + length - domain, DOMAIN, domain)) return NULL;
  length -= domain;
  const char *dot = memrchr(name, '.', length);
  const char *start = dot ? dot + 1 : name;
  length -= start - name;
  if (length == 0 || length > 63) return NULL;
  memcpy(label, start, length);
  label[length] = 0;
  return label;
}

static void note(const char *name, const char *family) {
  const char *log = getenv("OUTRACE_NSS_LOG");
  int file = log ? open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
  if (file < 0) return;
  dprintf(file, "%s %s\n", name, family);
  close(file);
}

/* Waits as the record wants it. What it comes to, if not to its address, goes to `status`. */
static int fails(const struct record *record, enum nss_status *status, int *error, int *h_error) {
  switch (record->event) {
  case LATE: usleep(3000000); break;
  case NEVER: for (;;) pause();
  case GATED: {
    /* A pipe opens for reading when it is opened for writing. */
    int gate = open(getenv("OUTRACE_NSS_GATE"), O_RDONLY | O_CLOEXEC);
    if (gate >= 0) close(gate);
    break;
  }
  case TRY_LATER: *status = NSS_STATUS_TRYAGAIN, *error = EAGAIN, *h_error = TRY_AGAIN; return 1;
  case BROKEN: *status = NSS_STATUS_UNAVAIL, *error = EIO, *h_error = NO_RECOVERY; return 1;
  case AT_ONCE: break;
  }
  return 0;
}

static enum nss_status nothing(int is_known, int *error, int *h_error) {
  *error = ENOENT;
  *h_error = is_known ? NO_DATA : HOST_NOT_FOUND;
  return NSS_STATUS_NOTFOUND;
}

static enum nss_status no_room(int *error, int *h_error) {
  *error = ERANGE;
  *h_error = NETDB_INTERNAL;
  return NSS_STATUS_TRYAGAIN;
}

/* Takes `size` octets from the caller's buffer, for anything; NULL if they are too many. */
static void *take(char **buffer, size_t *left, size_t size) {
  size_t skipped = -(uintptr_t)*buffer & 15;
  if (*left < skipped + size) return NULL;
  char *taken = *buffer + skipped;
  *buffer = taken + size, *left -= skipped + size;
  return taken;
}

static char *take_name(char **buffer, size_t *left, const struct record *record, const char *name) {
  const char *canonical = record->canonical ? record->canonical : name;
  char *taken = take(buffer, left, strlen(canonical) + 1);
  return taken ? strcpy(taken, canonical) : NULL;
}

#define FUNCTION_OF(module, function) _nss_##module##_##function
#define FUNCTION_IN(module, function) FUNCTION_OF(module, function)
#define FUNCTION(function) FUNCTION_IN(MODULE, function)

enum nss_status FUNCTION(gethostbyname4_r)(const char *name, struct gaih_addrtuple **found,
    char *buffer, size_t left, int *error, int *h_error, int32_t *ttl) {
  char space[64];
  const char *label = label_of(name, space);
  struct gaih_addrtuple *first = NULL, **next = &first;
  enum nss_status status;
  note(name, "both");
  for (const struct record *record = records; label && record < end; record++) {
    if (strcasecmp(record->name, label)) continue;
    if (fails(record, &status, error, h_error)) return status;
    struct gaih_addrtuple *tuple = take(&buffer, &left, sizeof *tuple);
    char *canonical = take_name(&buffer, &left, record, name);
    if (!tuple || !canonical) return no_room(error, h_error);
    *tuple = (struct gaih_addrtuple){
        .name = canonical, .family = record->family, .scopeid = record->scope};
    inet_pton(record->family, record->address, tuple->addr);
    *next = tuple, next = &tuple->next;
  }
  if (!first) return nothing(0, error, h_error);
  /* The caller may have room for the first one. */
  if (*found) **found = *first;
  else *found = first;
  if (ttl) *ttl = 60;
  *h_error = NETDB_SUCCESS;
  return NSS_STATUS_SUCCESS;
}

enum nss_status FUNCTION(gethostbyname3_r)(const char *name, int family, struct hostent *host,
    char *buffer, size_t left, int *error, int *h_error, int32_t *ttl, char **canonical) {
  char space[64];
  const char *label = label_of(name, space);
  int is_known = 0;
  size_t count = 0, length = family == AF_INET ? 4 : 16;
  enum nss_status status;
  note(name, family == AF_INET ? "v4" : "v6");
  char **addresses = take(&buffer, &left, 9 * sizeof *addresses);
  if (!addresses) return no_room(error, h_error);
  for (const struct record *record = records; label && record < end; record++) {
    if (strcasecmp(record->name, label)) continue;
    is_known = 1;
    if (record->family != family) continue;
    if (fails(record, &status, error, h_error)) return status;
    char *address = take(&buffer, &left, length);
    char *own_name = take_name(&buffer, &left, record, name);
    if (!address || !own_name || count == 8) return no_room(error, h_error);
    inet_pton(family, record->address, address);
    addresses[count++] = address;
    host->h_name = own_name;
  }
  if (!count) return nothing(is_known, error, h_error);
  addresses[count] = NULL;
  /* An empty list: the one that ends the addresses. */
  host->h_aliases = addresses + count;
  host->h_addrtype = family;
  host->h_length = length;
  host->h_addr_list = addresses;
  if (ttl) *ttl = 60;
  if (canonical) *canonical = host->h_name;
  *h_error = NETDB_SUCCESS;
  return NSS_STATUS_SUCCESS;
}

enum nss_status FUNCTION(gethostbyname2_r)(const char *name, int family, struct hostent *host,
    char *buffer, size_t left, int *error, int *h_error) {
  return FUNCTION(gethostbyname3_r)(name, family, host, buffer, left, error, h_error, NULL, NULL);
}
