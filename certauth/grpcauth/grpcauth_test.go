package grpcauth_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/grpcauth"
)

const (
	secret = "correct horse battery staple"
	check  = "/grpc.health.v1.Health/Check"
	watch  = "/grpc.health.v1.Health/Watch"
)

type partner struct {
	root, issuing, servers *certauthtest.CA
	client, front          *certauthtest.Certificate
}

func newPartner(t *testing.T) partner {
	t.Helper()
	p := partner{root: certauthtest.NewCA(t, "Partner Root"), servers: certauthtest.NewCA(t, "Servers")}
	p.issuing = p.root.NewIntermediate(t, "Partner Issuing CA")
	p.client = p.issuing.Issue(t, "orders")
	p.front = p.servers.Issue(t, "front end")
	return p
}

func (p partner) auth(t *testing.T, source certauth.Source, change ...func(*certauth.Config)) *certauth.Authenticator {
	t.Helper()
	config := certauth.Config{
		Source: source,
		Policy: certauth.Chain{Roots: certauth.Certificates(p.root.Certificate), Intermediates: certauth.Certificates(p.issuing.Certificate)},
	}
	for _, f := range change {
		f(&config)
	}
	auth, err := certauth.New(config)
	require.NoError(t, err)
	return auth
}

// service is a gRPC service with one unary and one streaming method, which return the caller.
type service struct {
	grpc_health_v1.UnimplementedHealthServer

	seen   chan sight
	called sync.Map // by the x-call that a client sent: the thumbprint of its identity
}

type sight struct {
	thumbprint string
	metadata   metadata.MD
	tls        bool
}

func (s *service) note(ctx context.Context) {
	var saw sight
	if id, ok := certauth.FromContext(ctx); ok {
		saw.thumbprint = id.Thumbprint()
	}
	saw.metadata, _ = metadata.FromIncomingContext(ctx)
	if call := saw.metadata.Get("x-call"); len(call) == 1 {
		s.called.Store(call[0], saw.thumbprint)
		return
	}
	if from, ok := peer.FromContext(ctx); ok {
		_, saw.tls = from.AuthInfo.(credentials.TLSInfo)
	}
	s.seen <- saw
}

func (s *service) Check(ctx context.Context, _ *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	s.note(ctx)
	return &grpc_health_v1.HealthCheckResponse{}, nil
}

func (s *service) Watch(_ *grpc_health_v1.HealthCheckRequest, stream grpc.ServerStreamingServer[grpc_health_v1.HealthCheckResponse]) error {
	s.note(stream.Context())
	return stream.Send(&grpc_health_v1.HealthCheckResponse{})
}

type world struct {
	*service

	address string
}

// admitter is what the interceptors need of an Authenticator.
type admitter interface {
	Admit(r *http.Request) (*http.Request, error)
}

func serve(t *testing.T, auth admitter, creds credentials.TransportCredentials, network, address string) world {
	t.Helper()
	server := grpc.NewServer(grpc.Creds(creds), grpc.ChainUnaryInterceptor(grpcauth.UnaryServerInterceptor(auth)), grpc.ChainStreamInterceptor(grpcauth.StreamServerInterceptor(auth)))
	s := &service{seen: make(chan sight, 16)}
	grpc_health_v1.RegisterHealthServer(server, s)
	listener, err := net.Listen(network, address)
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		_ = server.Serve(listener)
		close(done)
	}()
	t.Cleanup(func() {
		server.Stop()
		<-done
	})
	target := "passthrough:///" + listener.Addr().String()
	if network == "unix" {
		target = "unix:" + address
	}
	return world{s, target}
}

// call makes a unary call and a stream, and returns the codes and what the service saw.
func (w world) call(t *testing.T, creds credentials.TransportCredentials, sent metadata.MD) (saw []sight, unary, stream error) {
	t.Helper()
	conn, err := grpc.NewClient(w.address, grpc.WithTransportCredentials(creds))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(metadata.NewOutgoingContext(t.Context(), sent), 30*time.Second)
	defer cancel()
	client := grpc_health_v1.NewHealthClient(conn)
	_, unary = client.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	watching, err := client.Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
	require.NoError(t, err)
	_, stream = watching.Recv()
	for len(w.seen) > 0 {
		saw = append(saw, <-w.seen)
	}
	return saw, unary, stream
}

func (w world) wants(t *testing.T, creds credentials.TransportCredentials, sent metadata.MD, who *certauthtest.Certificate) {
	t.Helper()
	saw, unary, stream := w.call(t, creds, sent)
	if who == nil {
		for _, err := range []error{unary, stream} {
			assert.Equal(t, codes.Unauthenticated, status.Code(err), "%v", err)
			assert.Equal(t, "unauthenticated", status.Convert(err).Message())
		}
		assert.Empty(t, saw, "a handler ran")
		return
	}
	require.NoError(t, unary)
	require.NoError(t, stream)
	require.Len(t, saw, 2)
	for _, s := range saw {
		assert.Equal(t, who.Thumbprint(), s.thumbprint)
		for name := range s.metadata {
			assert.NotContains(t, strings.NewReplacer("_", "-", ".", "-").Replace(name), "client-cert")
			assert.NotEqual(t, "x-gate", name)
		}
		assert.Equal(t, sent.Get("kept"), s.metadata.Get("kept"))
	}
}

func nginx(of *certauthtest.Certificate, more ...string) metadata.MD {
	escaped := strings.NewReplacer("\n", "%0A", " ", "%20", "+", "%2B", "/", "%2F", "=", "%3D").Replace(string(of.PEM()))
	return metadata.Join(metadata.Pairs("x-client-cert", escaped, "x-client-verify", "SUCCESS", "kept", "yes", "x_client_cert", "alias", "x.client.cert", "alias"), metadata.Pairs(more...))
}

func (p partner) serverTLS(t *testing.T) credentials.TransportCredentials {
	t.Helper()
	pair := p.servers.Issue(t, "service", certauthtest.DNS("service"), certauthtest.Usage(x509.ExtKeyUsageServerAuth)).TLS()
	return credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12})
}

func (p partner) clientTLS(shows *certauthtest.Certificate) credentials.TransportCredentials {
	config := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "service", MinVersion: tls.VersionTLS12}
	config.RootCAs.AddCert(p.servers.Certificate)
	if shows != nil {
		pair := shows.TLS()
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return credentials.NewTLS(config)
}

func TestInterceptors_TakeTheIdentityFromTheHandshake(t *testing.T) {
	p := newPartner(t)
	for _, wrapped := range []bool{false, true} {
		creds := p.serverTLS(t)
		if wrapped {
			creds = grpcauth.Credentials(creds)
		}
		w := serve(t, p.auth(t, certauth.TLS{}), creds, "tcp", "127.0.0.1:0")
		w.wants(t, p.clientTLS(p.client), nil, p.client)
		w.wants(t, p.clientTLS(nil), nil, nil)
		w.wants(t, p.clientTLS(nil), nginx(p.client), nil)
		w.wants(t, p.clientTLS(certauthtest.SelfSigned(t, "orders")), nil, nil)
		w.wants(t, p.clientTLS(p.front), nginx(p.client), nil)
		saw, _, _ := w.call(t, p.clientTLS(p.client), nil)
		assert.True(t, saw[0].tls, "peer.AuthInfo must be unchanged")
	}
}

func TestInterceptors_BelieveMetadataOnlyThroughAGate(t *testing.T) {
	p := newPartner(t)
	other := p.servers.Issue(t, "another server")
	t.Run("the front end's certificate", func(t *testing.T) {
		w := serve(t, p.auth(t, forwarded.Nginx{From: forwarded.ProxyCertificate(certauth.Certificates(p.front.Certificate))}), p.serverTLS(t), "tcp", "127.0.0.1:0")
		w.wants(t, p.clientTLS(p.front), nginx(p.client), p.client)
		w.wants(t, p.clientTLS(p.front), nil, nil)
		w.wants(t, p.clientTLS(other), nginx(p.client), nil)
		w.wants(t, p.clientTLS(p.client), nginx(p.client), nil)
		w.wants(t, p.clientTLS(nil), nginx(p.client), nil)
	})
	t.Run("a secret", func(t *testing.T) {
		w := serve(t, p.auth(t, forwarded.Nginx{From: forwarded.SharedSecret("X-Gate", secret)}), insecure.NewCredentials(), "tcp", "127.0.0.1:0")
		w.wants(t, insecure.NewCredentials(), nginx(p.client, "x-gate", secret), p.client)
		w.wants(t, insecure.NewCredentials(), nginx(p.client), nil)
		w.wants(t, insecure.NewCredentials(), nginx(p.client, "x-gate", "guess"), nil)
		w.wants(t, insecure.NewCredentials(), nginx(p.client, "x-gate", secret, "x-gate", secret), nil)
		w.wants(t, insecure.NewCredentials(), nginx(p.client, "x-gate", secret, "x-client-cert", "x"), nil)
	})
	t.Run("the peer's address", func(t *testing.T) {
		for _, creds := range []struct {
			server, client credentials.TransportCredentials
		}{
			{insecure.NewCredentials(), insecure.NewCredentials()}, {p.serverTLS(t), p.clientTLS(nil)},
		} {
			here := p.auth(t, forwarded.Nginx{From: forwarded.Peers("127.0.0.1")})
			serve(t, here, grpcauth.Credentials(creds.server), "tcp", "127.0.0.1:0").wants(t, creds.client, nginx(p.client), p.client)
			serve(t, here, creds.server, "tcp", "127.0.0.1:0").wants(t, creds.client, nginx(p.client), nil)
			elsewhere := p.auth(t, forwarded.Nginx{From: forwarded.Peers("203.0.113.7")})
			serve(t, elsewhere, grpcauth.Credentials(creds.server), "tcp", "127.0.0.1:0").wants(t, creds.client, nginx(p.client, "x-forwarded-for", "203.0.113.7"), nil)
		}
	})
	t.Run("a unix socket", func(t *testing.T) {
		auth := p.auth(t, forwarded.Nginx{From: forwarded.UnixSocket()})
		serve(t, auth, grpcauth.Credentials(insecure.NewCredentials()), "unix", t.TempDir()+"/s").wants(t, insecure.NewCredentials(), nginx(p.client), p.client)
		serve(t, auth, grpcauth.Credentials(insecure.NewCredentials()), "tcp", "127.0.0.1:0").wants(t, insecure.NewCredentials(), nginx(p.client), nil)
	})
}

// The whole table of forged requests, with the fields of each as metadata of a unary call and of a
// stream. The secret identifies the front end, because all calls come from one address.
func TestInterceptors_LetNoRowIn(t *testing.T) {
	gate := forwarded.SharedSecret("X-Gate", secret)
	for _, tc := range []struct {
		frontEnd string
		source   certauth.Source
		chain    bool
	}{
		{"Nginx", forwarded.Nginx{From: gate}, false},
		{"HAProxy", forwarded.HAProxy{From: gate, ChainHeader: "X-SSL-Chain-Der"}, true},
		{"Traefik", forwarded.Traefik{From: gate}, false},
		{"Envoy", forwarded.Envoy{From: gate}, false},
		{"RFC9440/chain", forwarded.RFC9440{From: gate, Chain: true}, true},
	} {
		t.Run(tc.frontEnd, func(t *testing.T) {
			p := newPartner(t)
			w := serve(t, p.auth(t, tc.source), insecure.NewCredentials(), "tcp", "127.0.0.1:0")
			conn, err := grpc.NewClient(w.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
			require.NoError(t, err)
			defer func() { _ = conn.Close() }()
			client := grpc_health_v1.NewHealthClient(conn)
			var refused, calls atomic.Int64
			bridge := http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodConnect { // gRPC has POST only, and such a proxy ends the connection
					answer.Header().Set("Connection", "close")
					answer.WriteHeader(http.StatusMethodNotAllowed)
					return
				}
				if !r.ProtoAtLeast(1, 1) {
					answer.Header().Set("Connection", "close")
				}
				sent := metadata.MD{}
				for name, values := range r.Header {
					sent.Append(name, values...)
				}
				// HTTP/2 has no such field: a proxy that translates a request to HTTP/2 removes the
				// fields named there (RFC 9110, section 7.6.1), here like one that folds names.
				folded := strings.NewReplacer("_", "-", ".", "-")
				for option := range strings.SplitSeq(strings.Join(r.Header.Values("Connection"), ","), ",") {
					maps.DeleteFunc(sent, func(name string, _ []string) bool {
						return folded.Replace(name) == folded.Replace(strings.ToLower(strings.TrimSpace(option)))
					})
				}
				sent.Delete("connection")
				call := strconv.FormatInt(calls.Add(1), 10)
				sent.Set("x-call", call)
				ctx := metadata.NewOutgoingContext(r.Context(), sent)
				_, unary := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
				watching, stream := client.Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
				if stream == nil {
					_, stream = watching.Recv()
				}
				who, handled := w.called.LoadAndDelete(call)
				if handled && who != p.client.Thumbprint() {
					t.Errorf("the identity of %s is that of another certificate: %v", call, who)
				}
				if unary != nil && stream != nil && !handled {
					if status.Code(unary) == codes.Unauthenticated && status.Code(stream) == codes.Unauthenticated {
						refused.Add(1)
					}
					answer.WriteHeader(http.StatusUnauthorized)
				}
			})
			certauthtest.TestHandler(t, bridge, certauthtest.HandlerTest{
				FrontEnd: certauthtest.FrontEnd{Name: tc.frontEnd}, Secret: http.Header{"X-Gate": {secret}},
				Client: p.client, With: []*certauthtest.CA{p.issuing}, Issuer: p.issuing, Chain: tc.chain,
			})
			assert.Greater(t, refused.Load(), int64(100), "rows that the interceptors refused, not the gRPC client")
		})
	}
}

// finding N146: the calls of the table came one after the other. Each call has the identity of its own certificate,
// or none, however many others there are on the same connection.
func TestInterceptors_MixNoCallsUp(t *testing.T) {
	p := newPartner(t)
	w := serve(t, p.auth(t, forwarded.Nginx{From: forwarded.SharedSecret("X-Gate", secret)}), insecure.NewCredentials(), "tcp", "127.0.0.1:0")
	conn, err := grpc.NewClient(w.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	client := grpc_health_v1.NewHealthClient(conn)
	callers := []*certauthtest.Certificate{p.client, p.issuing.Issue(t, "invoices"), certauthtest.SelfSigned(t, "orders"), nil}
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range 32 * len(callers) {
		caller := callers[i%len(callers)]
		accepted := i%len(callers) < 2
		sent := metadata.Pairs("x-gate", secret)
		if caller != nil {
			sent = nginx(caller, "x-gate", secret)
		}
		all.Go(func() {
			<-start
			for kind, send := range map[string]func(context.Context) error{
				"unary": func(ctx context.Context) error {
					_, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
					return err
				},
				"stream": func(ctx context.Context) error {
					watching, err := client.Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
					if err == nil {
						_, err = watching.Recv()
					}
					return err
				},
			} {
				call := fmt.Sprintf("%s %d", kind, i)
				err := send(metadata.NewOutgoingContext(t.Context(), metadata.Join(sent, metadata.Pairs("x-call", call))))
				who, handled := w.called.Load(call)
				assert.Equal(t, accepted, handled, call)
				if !accepted {
					assert.Equal(t, codes.Unauthenticated, status.Code(err), "%s: %v", call, err)
					continue
				}
				assert.NoError(t, err, call)
				assert.Equal(t, caller.Thumbprint(), who, call)
			}
		})
	}
	close(start)
	all.Wait()
}

// The path of an exclusion is exactly the full method name.
func TestInterceptors_Exclusions(t *testing.T) {
	p := newPartner(t)
	exclude := func(method, path string) func(*certauth.Config) {
		return func(c *certauth.Config) {
			c.Exclusions = []certauth.Exclusion{{Method: method, Path: path, Reason: "probe", Control: "returns no data"}}
		}
	}
	for _, tc := range []struct {
		name          string
		change        func(*certauth.Config)
		unary, stream codes.Code
	}{
		{"the unary method", exclude("POST", check), codes.OK, codes.Unauthenticated},
		{"the stream", exclude("POST", watch), codes.Unauthenticated, codes.OK},
		{"optional", func(c *certauth.Config) { c.Optional = true }, codes.OK, codes.OK},
		{"neither", func(*certauth.Config) {}, codes.Unauthenticated, codes.Unauthenticated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := serve(t, p.auth(t, forwarded.Nginx{From: forwarded.SharedSecret("X-Gate", secret)}, tc.change), insecure.NewCredentials(), "tcp", "127.0.0.1:0")
			saw, unary, stream := w.call(t, insecure.NewCredentials(), metadata.Pairs("x-gate", secret))
			assert.Equal(t, tc.unary, status.Code(unary))
			assert.Equal(t, tc.stream, status.Code(stream))
			for _, s := range saw {
				assert.Empty(t, s.thumbprint)
			}
		})
	}
}

func TestInterceptors_WithoutAnAuthenticatorRefuse(t *testing.T) {
	for _, none := range []admitter{nil, (*certauth.Authenticator)(nil), new(certauth.Authenticator)} {
		w := serve(t, none, insecure.NewCredentials(), "tcp", "127.0.0.1:0")
		w.wants(t, insecure.NewCredentials(), nil, nil)
	}
}

// document stands for an Authenticator of package policyfile, which this module does not require.
type document struct{ auth *certauth.Authenticator }

func (d document) Admit(r *http.Request) (*http.Request, error) { return d.auth.Admit(r) }

// finding N78: a service whose policy is in a document could not use the interceptors.
func TestInterceptors_TakeAnAuthenticatorOfADocument(t *testing.T) {
	p := newPartner(t)
	auth := p.auth(t, forwarded.Nginx{From: forwarded.SharedSecret("X-Gate", secret)})
	w := serve(t, document{auth}, insecure.NewCredentials(), "tcp", "127.0.0.1:0")
	w.wants(t, insecure.NewCredentials(), nginx(p.client), nil)
	w.wants(t, insecure.NewCredentials(), nginx(p.client, "x-gate", secret), p.client)
}

// Through ServeHTTP the connection belongs to net/http, and so does the information about the peer.
func TestInterceptors_InsideNetHTTP(t *testing.T) {
	p := newPartner(t)
	for _, tc := range []struct {
		name string
		from forwarded.Gate
		keep bool
		who  *certauthtest.Certificate
	}{
		{"from the front end", forwarded.Peers("127.0.0.1"), true, p.client},
		{"from elsewhere", forwarded.Peers("203.0.113.7"), true, nil},
		{"no connection kept", forwarded.Peers("127.0.0.1"), false, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			auth := p.auth(t, forwarded.Nginx{From: tc.from})
			own := grpc.NewServer(grpc.ChainUnaryInterceptor(grpcauth.UnaryServerInterceptor(auth)), grpc.ChainStreamInterceptor(grpcauth.StreamServerInterceptor(auth)))
			s := &service{seen: make(chan sight, 16)}
			grpc_health_v1.RegisterHealthServer(own, s)
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			server := &http.Server{Handler: own, Protocols: new(http.Protocols), ReadHeaderTimeout: 10 * time.Second}
			server.Protocols.SetUnencryptedHTTP2(true)
			if tc.keep {
				server.ConnContext = certauth.ConnContext
			}
			go func() { _ = server.Serve(listener) }()
			t.Cleanup(func() { _ = server.Close() })
			world{s, "passthrough:///" + listener.Addr().String()}.wants(t, insecure.NewCredentials(), nginx(p.client), tc.who)
		})
	}
}
