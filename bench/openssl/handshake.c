/*
 * A full mTLS handshake with nothing around it: OpenSSL's server and client halves in one process, joined by a pair of
 * memory BIOs. No sockets, no system calls, no HTTP. Only the CPU time of the server's half is counted.
 *
 * Built at bench time as an addon that Node loads, so that the functions it calls are those of the very OpenSSL that
 * Sallyport's TLS uses. What it needs of OpenSSL's and Node's headers is declared here: npm does not keep Node's headers,
 * and the system's OpenSSL is another one.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

typedef struct bio BIO;
typedef struct key EVP_PKEY;
typedef struct certificate X509;
typedef struct store X509_STORE;
typedef struct method SSL_METHOD;
typedef struct context SSL_CTX;
typedef struct connection SSL;

unsigned long ERR_get_error(void);
void ERR_error_string_n(unsigned long code, char *text, size_t length);
BIO *BIO_new_mem_buf(const void *text, int length);
int BIO_new_bio_pair(BIO **one, size_t one_size, BIO **other, size_t other_size);
int BIO_free(BIO *bio);
X509 *PEM_read_bio_X509(BIO *bio, X509 **out, void *callback, void *argument);
EVP_PKEY *PEM_read_bio_PrivateKey(BIO *bio, EVP_PKEY **out, void *callback, void *argument);
void X509_free(X509 *certificate);
void EVP_PKEY_free(EVP_PKEY *key);
int X509_STORE_add_cert(X509_STORE *store, X509 *certificate);
const SSL_METHOD *TLS_server_method(void);
const SSL_METHOD *TLS_client_method(void);
SSL_CTX *SSL_CTX_new(const SSL_METHOD *method);
void SSL_CTX_free(SSL_CTX *context);
long SSL_CTX_ctrl(SSL_CTX *context, int command, long number, void *pointer);
uint64_t SSL_CTX_set_options(SSL_CTX *context, uint64_t options);
int SSL_CTX_set_ciphersuites(SSL_CTX *context, const char *suites);
int SSL_CTX_set_num_tickets(SSL_CTX *context, size_t count);
int SSL_CTX_use_certificate(SSL_CTX *context, X509 *certificate);
int SSL_CTX_use_PrivateKey(SSL_CTX *context, EVP_PKEY *key);
int SSL_CTX_add_client_CA(SSL_CTX *context, X509 *ca);
X509_STORE *SSL_CTX_get_cert_store(const SSL_CTX *context);
void SSL_CTX_set_verify(SSL_CTX *context, int mode, void *callback);
SSL *SSL_new(SSL_CTX *context);
void SSL_free(SSL *ssl);
long SSL_ctrl(SSL *ssl, int command, long number, void *pointer);
void SSL_set_bio(SSL *ssl, BIO *in, BIO *out);
void SSL_set_accept_state(SSL *ssl);
void SSL_set_connect_state(SSL *ssl);
int SSL_do_handshake(SSL *ssl);
long SSL_get_verify_result(const SSL *ssl);
X509 *SSL_get0_peer_certificate(const SSL *ssl);

enum {
  CTRL_SESSION_CACHE_MODE = 44,
  CTRL_HOST_NAME = 55,
  CTRL_GROUPS_LIST = 92,
  CTRL_MIN_PROTO_VERSION = 123,
  SESSION_CACHE_OFF = 0,
  TLS_1_3 = 0x0304,
  VERIFY_PEER_OR_FAIL = 3,
  VERIFIED = 0
};
#define OP_NO_TICKET (UINT64_C(1) << 14)
#define OP_NO_RX_CERTIFICATE_COMPRESSION (UINT64_C(1) << 33)

typedef struct environment *napi_env;
typedef struct value *napi_value;
typedef struct information *napi_callback_info;
typedef napi_value (*napi_callback)(napi_env env, napi_callback_info info);
int napi_get_cb_info(napi_env env, napi_callback_info info, size_t *argc, napi_value *argv, napi_value *self, void **data);
int napi_get_value_int32(napi_env env, napi_value value, int32_t *result);
int napi_get_value_string_utf8(napi_env env, napi_value value, char *text, size_t size, size_t *length);
int napi_create_double(napi_env env, double value, napi_value *result);
int napi_create_function(napi_env env, const char *name, size_t length, napi_callback callback, void *data, napi_value *result);
int napi_set_named_property(napi_env env, napi_value object, const char *name, napi_value value);
int napi_throw_error(napi_env env, const char *code, const char *message);

#define PEM_LIMIT 16384

struct pems {
  char server_certificate[PEM_LIMIT];
  char server_key[PEM_LIMIT];
  char client_certificate[PEM_LIMIT];
  char client_key[PEM_LIMIT];
  char client_ca[PEM_LIMIT];
};

static double thread_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static X509 *read_certificate(const char *pem) {
  BIO *bio = BIO_new_mem_buf(pem, -1);
  X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
  BIO_free(bio);
  return certificate;
}

static int use_pair(SSL_CTX *context, const char *certificate_pem, const char *key_pem) {
  BIO *bio = BIO_new_mem_buf(key_pem, -1);
  EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
  X509 *certificate = read_certificate(certificate_pem);
  int ok = key != NULL && certificate != NULL && SSL_CTX_use_certificate(context, certificate) == 1 &&
           SSL_CTX_use_PrivateKey(context, key) == 1;
  X509_free(certificate);
  EVP_PKEY_free(key);
  BIO_free(bio);
  return ok;
}

static SSL_CTX *server_context(const struct pems *pems) {
  SSL_CTX *context = SSL_CTX_new(TLS_server_method());
  X509 *ca = read_certificate(pems->client_ca);
  if (context == NULL || ca == NULL || !use_pair(context, pems->server_certificate, pems->server_key)) return NULL;
  SSL_CTX_ctrl(context, CTRL_MIN_PROTO_VERSION, TLS_1_3, NULL);
  SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
  /* The leanest there is: no session is kept, no ticket made, no certificate compressed. */
  SSL_CTX_ctrl(context, CTRL_SESSION_CACHE_MODE, SESSION_CACHE_OFF, NULL);
  SSL_CTX_set_options(context, OP_NO_TICKET | OP_NO_RX_CERTIFICATE_COMPRESSION);
  SSL_CTX_set_num_tickets(context, 0);
  X509_STORE_add_cert(SSL_CTX_get_cert_store(context), ca);
  SSL_CTX_add_client_CA(context, ca);
  SSL_CTX_set_verify(context, VERIFY_PEER_OR_FAIL, NULL);
  X509_free(ca);
  return context;
}

static SSL_CTX *client_context(const struct pems *pems, const char *groups) {
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  if (context == NULL || !use_pair(context, pems->client_certificate, pems->client_key)) return NULL;
  SSL_CTX_ctrl(context, CTRL_MIN_PROTO_VERSION, TLS_1_3, NULL);
  if (SSL_CTX_ctrl(context, CTRL_GROUPS_LIST, 0, (void *)groups) != 1) return NULL;
  return context;
}

/* One handshake; adds the server's CPU seconds. Returns 1 when both halves are done and the client's chain verified. */
static int handshake(SSL_CTX *server_side, SSL_CTX *client_side, double *seconds) {
  BIO *server_bio, *client_bio;
  SSL *client = SSL_new(client_side);
  double start = thread_seconds();
  SSL *server = SSL_new(server_side);
  BIO_new_bio_pair(&server_bio, 65536, &client_bio, 65536);
  SSL_set_bio(server, server_bio, server_bio);
  SSL_set_accept_state(server);
  *seconds += thread_seconds() - start;
  SSL_set_bio(client, client_bio, client_bio);
  SSL_set_connect_state(client);
  SSL_ctrl(client, CTRL_HOST_NAME, 0, "acme.agent.localhost");

  int server_done = 0, client_done = 0;
  for (int turn = 0; turn < 10 && !(server_done && client_done); turn++) {
    client_done = SSL_do_handshake(client) == 1;
    start = thread_seconds();
    server_done = SSL_do_handshake(server) == 1;
    *seconds += thread_seconds() - start;
  }
  int ok = server_done && client_done && SSL_get_verify_result(server) == VERIFIED && SSL_get0_peer_certificate(server) != NULL;
  SSL_free(client);
  start = thread_seconds();
  SSL_free(server);
  *seconds += thread_seconds() - start;
  return ok;
}

static napi_value fail(napi_env env, const char *what) {
  char text[512], reason[256];
  ERR_error_string_n(ERR_get_error(), reason, sizeof reason);
  snprintf(text, sizeof text, "%s: %s", what, reason);
  napi_throw_error(env, NULL, text);
  return NULL;
}

/* handshakes(count, groups, serverCertificate, serverKey, clientCertificate, clientKey, clientCa) -> CPU seconds each */
static napi_value handshakes(napi_env env, napi_callback_info info) {
  static struct pems pems;
  size_t argc = 7, length;
  napi_value arguments[7], result;
  int32_t count = 0;
  char groups[128];
  char *texts[] = {pems.server_certificate, pems.server_key, pems.client_certificate, pems.client_key, pems.client_ca};
  napi_get_cb_info(env, info, &argc, arguments, NULL, NULL);
  if (argc != 7 || napi_get_value_int32(env, arguments[0], &count) != 0 || count < 1) return fail(env, "arguments");
  napi_get_value_string_utf8(env, arguments[1], groups, sizeof groups, &length);
  for (int i = 0; i < 5; i++) {
    if (napi_get_value_string_utf8(env, arguments[i + 2], texts[i], PEM_LIMIT, &length) != 0) return fail(env, "a PEM text");
  }
  SSL_CTX *server_side = server_context(&pems);
  SSL_CTX *client_side = client_context(&pems, groups);
  if (server_side == NULL || client_side == NULL) return fail(env, "the TLS contexts");
  double seconds = 0;
  int ok = 1;
  for (int i = 0; i < count && ok; i++) ok = handshake(server_side, client_side, &seconds);
  SSL_CTX_free(server_side);
  SSL_CTX_free(client_side);
  if (!ok) return fail(env, "the handshake");
  napi_create_double(env, seconds / count, &result);
  return result;
}

int32_t node_api_module_get_api_version_v1(void) { return 8; }

napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  napi_value function;
  napi_create_function(env, "handshakes", sizeof "handshakes" - 1, handshakes, NULL, &function);
  napi_set_named_property(env, exports, "handshakes", function);
  return exports;
}
