// Opens connections at a steady rate, whatever becomes of the ones before, and sends one request on each.
//
//   load PORT PATH RATE SECONDS
//
// Prints a line for each request that failed, with its own port and the monotonic milliseconds at its start and end,
//
//   failed PORT refused|reset|closed|timeout START END
//
// one that begins with `late` and is the same but for the reason for each that took longer than 200 ms, and at last
// `sent=N answered=N failed=N p50=MS p99=MS max=MS late=N`.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SOCKETS = 1 << 16, ROOM = 2048, TIMEOUT = 15000 };
static const double LATE = 200;

struct request {
  int open, sent, port, filled;
  double start;
  char answer[ROOM];
};

static struct request *requests[SOCKETS];
static double *times;
static long sent, answered, failed, late, capacity;
static int highest, poll_fd, port;
static char text[256];

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1e3 + at.tv_nsec / 1e6;
}

static void over(int fd) {
  // Without the kernel's long wait for stray packets: there would soon be no ports left.
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
  close(fd);
  requests[fd]->open = 0;
}

static void fail(int fd, const char *why) {
  printf("failed %d %s %.3f %.3f\n", requests[fd]->port, why, requests[fd]->start, now());
  failed += 1;
  over(fd);
}

static const char *reason(int error) {
  return error == ECONNREFUSED ? "refused" : "reset";
}

static void begin(void) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0 || fd >= SOCKETS) {
    perror("socket");
    exit(1);
  }
  if (!requests[fd]) requests[fd] = calloc(1, sizeof(struct request));
  if (fd > highest) highest = fd;
  *requests[fd] = (struct request){.open = 1, .start = now()};
  sent += 1;
  int done = connect(fd, (struct sockaddr *)&to, sizeof to);
  int refused = done < 0 && errno != EINPROGRESS ? errno : 0;
  struct sockaddr_in own = {0};
  getsockname(fd, (struct sockaddr *)&own, &(socklen_t){sizeof own});
  requests[fd]->port = ntohs(own.sin_port);
  if (refused) return fail(fd, reason(refused));
  epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN | EPOLLOUT, .data.fd = fd});
}

static void note(struct request *request) {
  double at = now(), took = at - request->start;
  if (answered == capacity) times = realloc(times, (capacity = capacity * 2 + 1024) * sizeof *times);
  times[answered++] = took;
  if (took <= LATE) return;
  late += 1;
  printf("late %d %.3f %.3f\n", request->port, request->start, at);
}

// Whether the head and as many bytes as it tells of are there.
static int is_whole(struct request *request) {
  request->answer[request->filled] = 0;
  char *end = strstr(request->answer, "\r\n\r\n"), *length = strcasestr(request->answer, "content-length:");
  return end && length && request->answer + request->filled - end - 4 >= atol(length + 15);
}

static void receive(int fd) {
  struct request *request = requests[fd];
  ssize_t got = read(fd, request->answer + request->filled, ROOM - 1 - request->filled);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) return fail(fd, got ? reason(errno) : "closed");
  request->filled += got;
  if (!is_whole(request)) return;
  note(request);
  over(fd);
}

static void on_event(int fd, unsigned events) {
  struct request *request = requests[fd];
  if (!request->sent && events & EPOLLOUT && !(events & EPOLLERR)) {
    request->sent = 1;
    epoll_ctl(poll_fd, EPOLL_CTL_MOD, fd, &(struct epoll_event){.events = EPOLLIN, .data.fd = fd});
    if (write(fd, text, strlen(text)) < 0) return fail(fd, reason(errno));
  }
  if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) receive(fd);
}

static int give_up(double at) {
  int open = 0;
  for (int fd = 0; fd <= highest; fd += 1) {
    if (!requests[fd] || !requests[fd]->open) continue;
    if (requests[fd]->start < at - TIMEOUT) fail(fd, "timeout");
    else open += 1;
  }
  return open;
}

static int ascending(const void *a, const void *b) {
  return (*(double *)a > *(double *)b) - (*(double *)a < *(double *)b);
}

static double quantile(double part) {
  return answered ? times[(long)((answered - 1) * part)] : 0;
}

int main(int words, char **word) {
  if (words != 5) return 2;
  port = atoi(word[1]);
  snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", word[2]);
  double pause = 1000 / atof(word[3]), first = now(), end = first + atof(word[4]) * 1000, looked = first;
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  poll_fd = epoll_create1(0);
  struct epoll_event events[256];
  for (double next = first;;) {
    double at = now();
    for (; next <= at && next < end; next += pause) begin();
    int wait = next < end ? (next - at < 1 ? 1 : (int)(next - at)) : 10;
    int count = epoll_wait(poll_fd, events, 256, wait > 10 ? 10 : wait);
    for (int n = 0; n < count; n += 1) on_event(events[n].data.fd, events[n].events);
    if (at - looked < 50) continue;
    looked = at;
    if (!give_up(at) && next >= end) break;
  }
  qsort(times, answered, sizeof *times, ascending);
  printf("sent=%ld answered=%ld failed=%ld p50=%.2f p99=%.2f max=%.2f late=%ld\n", sent, answered, failed, quantile(0.5),
         quantile(0.99), quantile(1), late);
}
