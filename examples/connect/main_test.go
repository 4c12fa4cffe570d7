package main

import (
	"net"
	"net/http"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// asAppService writes the headers that the front end would write for the certificate.
type asAppService struct {
	t      *testing.T
	client *certauthtest.Certificate
	next   http.RoundTripper
}

func (f asAppService) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	certauthtest.FrontEnd{Name: "AppService"}.Forward(f.t, r, f.client)
	return f.next.RoundTrip(r)
}

// Refusals have an HTTP status, and the clients of each protocol read it: 401 is unauthenticated,
// 403 permission_denied.
func TestConnect_AllProtocolsAreProtected(t *testing.T) {
	ca := certauthtest.NewCA(t, "Partner Root")
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.AppService{InsecureOutsideAppService: true}, Policy: certauth.Chain{Roots: certauth.Certificates(ca.Certificate)},
	})
	require.NoError(t, err)
	server, err := newServer(auth)
	require.NoError(t, err)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	http2 := &http.Transport{Protocols: new(http.Protocols)}
	http2.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(http2.CloseIdleConnections)

	orders, billing := ca.Issue(t, "orders"), ca.Issue(t, "billing", certauthtest.DNS(refunder))
	for _, protocol := range []struct {
		name      string
		transport http.RoundTripper
		options   []connect.ClientOption
	}{
		{"Connect", &http.Transport{DisableKeepAlives: true}, nil},
		{"gRPC-Web", &http.Transport{DisableKeepAlives: true}, []connect.ClientOption{connect.WithGRPCWeb()}},
		{"gRPC", http2, []connect.ClientOption{connect.WithGRPC()}},
	} {
		for _, tc := range []struct {
			name, procedure string
			client          *certauthtest.Certificate
			code            connect.Code // 0: answered
		}{
			{"a partner", listProcedure, orders, 0},
			{"nobody", listProcedure, nil, connect.CodeUnauthenticated},
			{"a stranger", listProcedure, certauthtest.SelfSigned(t, "orders"), connect.CodeUnauthenticated},
			{"a partner who may not", refundProcedure, orders, connect.CodePermissionDenied},
			{"a partner who may", refundProcedure, billing, 0},
		} {
			t.Run(protocol.name+", "+tc.name, func(t *testing.T) {
				transport := asAppService{t, tc.client, protocol.transport}
				client := connect.NewClient[emptypb.Empty, wrapperspb.StringValue](&http.Client{Transport: transport}, "http://"+listener.Addr().String()+tc.procedure, protocol.options...)
				answer, err := client.CallUnary(t.Context(), connect.NewRequest(&emptypb.Empty{}))
				if tc.code == 0 {
					require.NoError(t, err)
					assert.Equal(t, tc.client.Subject.CommonName, answer.Msg.GetValue())
					return
				}
				assert.Equal(t, tc.code, connect.CodeOf(err), "%v", err)
			})
		}
	}
}
