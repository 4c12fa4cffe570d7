package grpcauth

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// authenticator is a *certauth.Authenticator, or one that follows a policy document, of package
// policyfile.
type authenticator interface {
	Admit(r *http.Request) (*http.Request, error)
}

// UnaryServerInterceptor returns an interceptor that admits the calls that auth admits: an
// Authenticator of package certauth or policyfile. A zero or nil Authenticator refuses all
// calls. The interceptor is safe for concurrent use.
func UnaryServerInterceptor(auth authenticator) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		ctx, err := admit(ctx, auth, info.FullMethod)
		if err != nil {
			return nil, err
		}
		return handler(ctx, req)
	}
}

// StreamServerInterceptor is [UnaryServerInterceptor] for streams. A stream is checked when it
// begins and not again.
func StreamServerInterceptor(auth authenticator) grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		ctx, err := admit(stream.Context(), auth, info.FullMethod)
		if err != nil {
			return err
		}
		return handler(srv, &admittedStream{stream, ctx})
	}
}

type admittedStream struct {
	grpc.ServerStream

	ctx context.Context
}

// Context returns the context of the admitted caller.
func (s *admittedStream) Context() context.Context { return s.ctx }

// errRefused does not contain the reason, which is only logged.
var errRefused = status.Error(codes.Unauthenticated, "unauthenticated")

func admit(ctx context.Context, auth authenticator, method string) (context.Context, error) {
	if auth == nil {
		return nil, errRefused
	}
	r, err := auth.Admit(request(ctx, method))
	if err != nil {
		return nil, errRefused
	}
	return withoutStripped(r), nil
}

// request represents the call as a net/http request.
func request(ctx context.Context, method string) *http.Request {
	r := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: method}, RequestURI: method, Header: http.Header{}, Body: http.NoBody}
	if ctx.Value(http.ServerContextKey) != nil {
		// The call came through grpc.Server.ServeHTTP. Gates then check how the connection
		// changed to HTTP/2; gRPC's own transport uses HTTP/2 from the first byte.
		r.ProtoMajor = 2
	}
	sent, _ := metadata.FromIncomingContext(ctx)
	for name, values := range sent {
		if name == ":authority" && len(values) == 1 {
			r.Host = values[0]
		}
		if !strings.HasPrefix(name, ":") {
			r.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	if from, ok := peer.FromContext(ctx); ok {
		if from.Addr != nil {
			r.RemoteAddr = from.Addr.String()
		}
		if address, kept := from.Addr.(socketAddr); kept {
			ctx = certauth.ConnContext(ctx, address.conn)
		}
		switch secured := from.AuthInfo.(type) {
		case credentials.TLSInfo:
			r.TLS = &secured.State
		case *credentials.TLSInfo:
			r.TLS = &secured.State
		}
	}
	return r.WithContext(ctx)
}

// withoutStripped returns the context of the request without the metadata that the
// Authenticator removed.
func withoutStripped(r *http.Request) context.Context {
	sent, ok := metadata.FromIncomingContext(r.Context())
	if !ok {
		return r.Context()
	}
	for name := range sent { // a copy
		if _, stays := r.Header[http.CanonicalHeaderKey(name)]; !stays && !strings.HasPrefix(name, ":") {
			delete(sent, name)
		}
	}
	return metadata.NewIncomingContext(r.Context(), sent)
}
