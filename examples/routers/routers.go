// Package routers shows how to use an Authenticator with each router. All of them serve with
// net/http, so none needs an adapter: their middleware is, or is built on, func(http.Handler)
// http.Handler.
//
// Wrapping the whole router with auth.ConfigureServer or auth.Handler(router) also protects
// redirects, 404 answers and routes that are added later. If a function here uses the router's
// own hook, its comment says what that does not cover. Behind a proxy that makes a tunnel of the
// connection after a request for WebSocket, whatever the answer is (section "Upgrade" of package
// forwarded), everything must be covered: after such a request for a path that is not, a client
// without a certificate can write the front end's headers itself.
package routers

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"connectrpc.com/connect"
	connectv2 "connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/go-chi/chi/v5"
	khttp "github.com/go-kratos/kratos/v2/transport/http"
	"github.com/gorilla/mux"
	echov4 "github.com/labstack/echo/v4"
	echov5 "github.com/labstack/echo/v5"
	"github.com/zeromicro/go-zero/rest"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/examples/routers/api"
)

// Whoami answers the routes of these examples with the caller's identity.
func Whoami(w http.ResponseWriter, r *http.Request) {
	id, ok := certauth.FromContext(r.Context())
	if !ok {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	_, _ = w.Write([]byte(id.Thumbprint()))
}

// Chi takes net/http middleware directly. With Use before the routes it also covers 404 and 405.
func Chi(auth *certauth.Authenticator) http.Handler {
	router := chi.NewRouter()
	router.Use(auth.Handler)
	router.Get("/whoami", Whoami)
	return router
}

// Gorilla takes net/http middleware directly and runs it for routes that match; it does not cover
// 404 answers and redirects.
func Gorilla(auth *certauth.Authenticator) http.Handler {
	router := mux.NewRouter()
	router.Use(auth.Handler)
	router.HandleFunc("/whoami", Whoami)
	return router
}

// EchoV4 wraps net/http middleware. Use runs after the router's choice of a route, also for 404.
func EchoV4(auth *certauth.Authenticator) http.Handler {
	e := echov4.New()
	e.Use(echov4.WrapMiddleware(auth.Handler))
	e.GET("/whoami", echov4.WrapHandler(http.HandlerFunc(Whoami)))
	return e
}

// EchoV5 works in the same way.
func EchoV5(auth *certauth.Authenticator) http.Handler {
	e := echov5.New()
	e.Use(echov5.WrapMiddleware(auth.Handler))
	e.GET("/whoami", echov5.WrapHandler(http.HandlerFunc(Whoami)))
	return e
}

// Huma describes operations on a router that you choose. The router is wrapped, including Huma's
// documentation and schemas.
func Huma(auth *certauth.Authenticator) http.Handler {
	router := http.NewServeMux()
	api := humago.New(router, huma.DefaultConfig("Example", "1.0.0"))
	type answer struct {
		Body struct{ Thumbprint string }
	}
	huma.Get(api, "/whoami", func(ctx context.Context, _ *struct{}) (*answer, error) {
		id, ok := certauth.FromContext(ctx)
		if !ok {
			return nil, huma.Error401Unauthorized("unauthorized")
		}
		a := new(answer)
		a.Body.Thumbprint = id.Thumbprint()
		return a, nil
	})
	return auth.Handler(router)
}

// Kratos calls net/http middleware a filter. It runs for every request of the server.
func Kratos(auth *certauth.Authenticator) http.Handler {
	server := khttp.NewServer(khttp.Filter(auth.Handler))
	server.HandleFunc("/whoami", Whoami)
	return server
}

// GoZero takes net/http middleware with ToMiddleware, for routes that match. Its server makes its
// connections itself: with rest.Server.Start the sockets are not known, and gates on the peer
// refuse every request. Serve it with your own http.Server, as here with NewServerless.
func GoZero(auth *certauth.Authenticator) (http.Handler, error) {
	server, err := rest.NewServer(rest.RestConf{MaxBytes: 1 << 20})
	if err != nil {
		return nil, err
	}
	server.Use(rest.ToMiddleware(auth.Handler))
	server.AddRoute(rest.Route{Method: http.MethodGet, Path: "/whoami", Handler: Whoami})
	less, err := rest.NewServerless(server)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(less.Serve), nil
}

// WhoamiProcedure is the path of Connect's method.
const WhoamiProcedure = "/example.v1.Example/Whoami"

// Connect serves with net/http, and authentication happens there, before its handlers: an
// interceptor sees only calls that were already decoded. A refusal is 401, which clients of
// Connect and gRPC-Web report as unauthenticated.
func Connect(auth *certauth.Authenticator) http.Handler {
	router := http.NewServeMux()
	router.Handle(WhoamiProcedure, connect.NewUnaryHandler(WhoamiProcedure, func(ctx context.Context, _ *connect.Request[emptypb.Empty]) (*connect.Response[wrapperspb.StringValue], error) {
		id, ok := certauth.FromContext(ctx)
		if !ok {
			return nil, connect.NewError(connect.CodeUnauthenticated, nil)
		}
		return connect.NewResponse(wrapperspb.String(id.Thumbprint())), nil
	}))
	return auth.Handler(router)
}

// ConnectV2 is mounted on a ServeMux, which is wrapped in the same way.
func ConnectV2(auth *certauth.Authenticator) http.Handler {
	server := connectv2.NewServer()
	server.Register(connectv2.Method{
		Spec: connectv2.Spec{Procedure: WhoamiProcedure, StreamType: connectv2.StreamTypeUnary},
		Handler: func(ctx context.Context, _ connectv2.Spec, stream connectv2.ServerStream) error {
			if err := stream.Receive(new(emptypb.Empty)); err != nil {
				return err
			}
			id, ok := certauth.FromContext(ctx)
			if !ok {
				return connectv2.NewError(connectv2.CodeUnauthenticated, "unauthenticated")
			}
			return stream.Send(wrapperspb.String(id.Thumbprint()))
		},
	})
	router := http.NewServeMux()
	connecthttp.Mount(router, server)
	return auth.Handler(router)
}

//go:generate go run github.com/ogen-go/ogen/cmd/ogen@v1.25.0 -config ogen.yml -target api -package api openapi.yaml

// Ogen generates an http.Handler from an interface description. The handler is wrapped.
func Ogen(auth *certauth.Authenticator) (http.Handler, error) {
	server, err := api.NewServer(whoami{})
	if err != nil {
		return nil, err
	}
	return auth.Handler(server), nil
}

type whoami struct{}

// Whoami implements the generated interface.
func (whoami) Whoami(ctx context.Context) (api.WhoamiOK, error) {
	id, ok := certauth.FromContext(ctx)
	if !ok {
		return api.WhoamiOK{}, errors.New("no identity")
	}
	return api.WhoamiOK{Data: strings.NewReader(id.Thumbprint())}, nil
}
