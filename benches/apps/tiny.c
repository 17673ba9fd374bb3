// The smallest server there can be: one process, one connection after the other, its pid as the answer.
//
//   tiny           waits for connections by poll, on a non-blocking socket: the runtime gives all instances one queue
//   tiny blocking  blocks in accept: the runtime gives each instance a queue of its own
//   tiny end       no server: ends at once, with status 1
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void answer(int client) {
  char request[4096], text[128];
  if (read(client, request, sizeof request) > 0) {
    int size = snprintf(text, sizeof text, "%d\n", getpid());
    size = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%d\n", size, getpid());
    if (write(client, text, size) < size) perror("write");
  }
  close(client);
}

int main(int words, char **word) {
  int blocking = words > 1 && !strcmp(word[1], "blocking");
  if (words > 1 && !strcmp(word[1], "end")) return 1;
  int server = socket(AF_INET, SOCK_STREAM | (blocking ? 0 : SOCK_NONBLOCK), 0), on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(getenv("PORT")))};
  setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(server, (struct sockaddr *)&address, sizeof address) || listen(server, 128)) {
    perror("bind, listen");
    return 1;
  }
  for (;;) {
    if (!blocking) poll(&(struct pollfd){server, POLLIN, 0}, 1, -1);
    int client = accept(server, 0, 0);
    if (client >= 0) answer(client);
  }
}
