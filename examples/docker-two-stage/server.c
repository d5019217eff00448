/* A web server in one file: it answers every request with the user it runs as. */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int listen_on(int port) {
    int on = 1, server = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(server, (struct sockaddr *)&address, sizeof address) || listen(server, 64)) {
        perror("listen");
        exit(1);
    }
    return server;
}

static void answer(int client) {
    char request[8192], body[128], head[160];
    if (read(client, request, sizeof request) <= 0) return;
    int length = snprintf(body, sizeof body, "Hello from C, uid %d\n", (int)getuid());
    int size = snprintf(head, sizeof head,
                        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                        "Content-Length: %d\r\nConnection: close\r\n\r\n", length);
    if (write(client, head, size) != size || write(client, body, length) != length) return;
    shutdown(client, SHUT_WR);
}

int main(void) {
    const char *port = getenv("PORT");
    int server = listen_on(port ? atoi(port) : 8080);
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("listening on %s as uid %d\n", port ? port : "8080", (int)getuid());
    for (;;) {
        int client = accept(server, NULL, NULL);
        if (client < 0) continue;
        answer(client);
        close(client);
    }
}
