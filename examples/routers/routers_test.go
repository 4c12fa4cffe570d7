package routers_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect"
	connectv2 "connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/examples/routers"
)

type partner struct {
	root, issuing *certauthtest.CA
	client        *certauthtest.Certificate
}

func newPartner(t *testing.T) partner {
	t.Helper()
	p := partner{root: certauthtest.NewCA(t, "Partner Root")}
	p.issuing = p.root.NewIntermediate(t, "Partner Issuing CA")
	p.client = p.issuing.Issue(t, "orders")
	return p
}

func (p partner) auth(t *testing.T) *certauth.Authenticator {
	t.Helper()
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.Nginx{From: forwarded.Peers("127.0.0.1")},
		Policy: certauth.Chain{Roots: certauth.Certificates(p.root.Certificate), Intermediates: certauth.Certificates(p.issuing.Certificate)},
	})
	require.NoError(t, err)
	return auth
}

func made(router func(*certauth.Authenticator) (http.Handler, error)) func(*certauth.Authenticator) http.Handler {
	return func(auth *certauth.Authenticator) http.Handler {
		handler, err := router(auth)
		if err != nil {
			panic(err)
		}
		return handler
	}
}

var all = map[string]struct {
	router func(*certauth.Authenticator) http.Handler
	path   string
	// elsewhere is the answer to a caller without a certificate for a path without a route.
	elsewhere int
}{
	"chi":     {routers.Chi, "/whoami", http.StatusUnauthorized},
	"gorilla": {routers.Gorilla, "/whoami", http.StatusNotFound},
	"echo v4": {routers.EchoV4, "/whoami", http.StatusUnauthorized},
	"echo v5": {routers.EchoV5, "/whoami", http.StatusUnauthorized},
	"huma":    {routers.Huma, "/whoami", http.StatusUnauthorized},
	"kratos":  {routers.Kratos, "/whoami", http.StatusUnauthorized},
	"ogen":    {made(routers.Ogen), "/whoami", http.StatusUnauthorized},
	"go-zero": {made(routers.GoZero), "/whoami", http.StatusNotFound},
}

func TestRouters_DenyAndTellWhoCalls(t *testing.T) {
	for name, tc := range all {
		t.Run(name, func(t *testing.T) {
			p := newPartner(t)
			router := tc.router(p.auth(t))
			ask := func(path string, client *certauthtest.Certificate) *httptest.ResponseRecorder {
				r := certauthtest.WithPeer(t, httptest.NewRequest(http.MethodGet, path, nil), "tcp", "127.0.0.1:40000")
				certauthtest.FrontEnd{Name: "Nginx"}.Forward(t, r, client)
				w := httptest.NewRecorder()
				router.ServeHTTP(w, r)
				return w
			}
			got := ask(tc.path, p.client)
			assert.Equal(t, http.StatusOK, got.Code)
			assert.Contains(t, got.Body.String(), p.client.Thumbprint())
			for _, client := range []*certauthtest.Certificate{nil, certauthtest.SelfSigned(t, "orders")} {
				got = ask(tc.path, client)
				assert.Equal(t, http.StatusUnauthorized, got.Code)
				assert.Equal(t, `ClientCertificate realm="client-certificate"`, got.Header().Get("WWW-Authenticate"))
			}
			assert.Equal(t, tc.elsewhere, ask("/elsewhere", nil).Code)
		})
	}
}

// The whole table of forged requests through each router. Finding N164: the middleware of two routers does not run
// without a route, and the documentation did not say what that means behind a proxy that makes tunnels.
func TestRouters_LetNoRowIn(t *testing.T) {
	for name, tc := range all {
		t.Run(name, func(t *testing.T) {
			p := newPartner(t)
			certauthtest.TestHandler(t, tc.router(p.auth(t)), certauthtest.HandlerTest{
				FrontEnd: certauthtest.FrontEnd{Name: "Nginx"}, Path: tc.path,
				Client: p.client, With: []*certauthtest.CA{p.issuing}, Issuer: p.issuing,
				Tunnels: name != "gorilla" && name != "go-zero",
			})
		})
	}
}

// Each protocol of Connect, with its own client.
func TestConnect_UnauthenticatedInEveryProtocol(t *testing.T) {
	p := newPartner(t)
	server := httptest.NewUnstartedServer(routers.Connect(p.auth(t)))
	server.Config.ConnContext = certauth.ConnContext
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	for name, options := range map[string][]connect.ClientOption{
		"Connect": nil, "Connect by GET": {connect.WithHTTPGet()}, "gRPC": {connect.WithGRPC()}, "gRPC-Web": {connect.WithGRPCWeb()},
	} {
		t.Run(name, func(t *testing.T) {
			client := connect.NewClient[emptypb.Empty, wrapperspb.StringValue](server.Client(), server.URL+routers.WhoamiProcedure, options...)
			_, err := client.CallUnary(t.Context(), connect.NewRequest(&emptypb.Empty{}))
			require.Error(t, err)
			assert.Equal(t, connect.CodeUnauthenticated, connect.CodeOf(err))
			assert.NotContains(t, strings.ToLower(err.Error()), "missing")

			call := connect.NewRequest(&emptypb.Empty{})
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			certauthtest.FrontEnd{Name: "Nginx"}.Forward(t, r, p.client)
			for name, values := range r.Header {
				call.Header()[name] = values
			}
			answer, err := client.CallUnary(t.Context(), call)
			require.NoError(t, err)
			assert.Equal(t, p.client.Thumbprint(), answer.Msg.GetValue())
		})
	}
}

func TestConnectV2_UnauthenticatedInEveryProtocol(t *testing.T) {
	p := newPartner(t)
	server := httptest.NewUnstartedServer(routers.ConnectV2(p.auth(t)))
	server.Config.ConnContext = certauth.ConnContext
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	spec := connectv2.Spec{Procedure: routers.WhoamiProcedure, StreamType: connectv2.StreamTypeUnary}
	for name, options := range map[string][]connecthttp.Option{"Connect": nil, "gRPC": {connecthttp.WithGRPC()}, "gRPC-Web": {connecthttp.WithGRPCWeb()}} {
		t.Run(name, func(t *testing.T) {
			client := connectv2.NewClient(connecthttp.NewTransport(server.Client(), server.URL, options...))
			var answer wrapperspb.StringValue
			err := client.CallUnary(t.Context(), spec, &emptypb.Empty{}, &answer)
			require.Error(t, err)
			assert.Equal(t, connectv2.CodeUnauthenticated, connectv2.CodeOf(err))
			assert.Empty(t, answer.GetValue())

			ctx, info := connectv2.NewClientContext(t.Context())
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			certauthtest.FrontEnd{Name: "Nginx"}.Forward(t, r, p.client)
			for name, values := range r.Header {
				info.RequestHeader().Set(name, values[0])
			}
			require.NoError(t, client.CallUnary(ctx, spec, &emptypb.Empty{}, &answer))
			assert.Equal(t, p.client.Thumbprint(), answer.GetValue())
		})
	}
}
