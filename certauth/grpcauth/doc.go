// Package grpcauth puts a [certauth.Authenticator] in front of the calls of a gRPC server.
//
// Where the server ends TLS itself, the source is [certauth.TLS]: the identity comes from the
// handshake. Behind a front end that ends TLS and forwards the certificate as metadata, the
// source is a preset of package forwarded, and since any client can write metadata its gate
// must be one that gRPC can satisfy: forwarded.ProxyCertificate, the front end's own
// certificate in the handshake; forwarded.SharedSecret, in the metadata; or, with [Credentials]
// around the server's credentials, forwarded.Peers and UnixSocket. Without Credentials no
// socket is known, and these refuse every call.
//
//	server := grpc.NewServer(
//		grpc.Creds(grpcauth.Credentials(creds)),
//		grpc.ChainUnaryInterceptor(grpcauth.UnaryServerInterceptor(auth)),
//		grpc.ChainStreamInterceptor(grpcauth.StreamServerInterceptor(auth)),
//	)
//
// Put the interceptors first, and both of them. A stream is judged when it begins: end it when
// the certificate does, Identity.Remaining says when. Handlers find the caller by
// certauth.FromContext; the metadata of the source is gone from their context. What more a
// method asks can be said by certauth.Named in the policy and looked up in Identity.Matched.
//
// grpc-gateway makes metadata of the headers of its HTTP clients: "Grpc-Metadata-X" becomes the
// metadata "x". A gate must therefore never admit a gateway, which a gate on the loopback
// address does for a gateway in the same pod; put an Authenticator in front of the gateway's
// own handler. The handlers that its Register...HandlerServer functions make run no
// interceptor at all.
//
// A refusal is UNAUTHENTICATED with the same text for every reason. In Config.Exclusions the
// path is the full method, and Method has to be set, since its default is GET:
//
//	certauth.Exclusion{
//		Method: "POST", Path: "/grpc.health.v1.Health/Check",
//		Reason: "the platform's probe has no certificate", Control: "returns no data",
//	}
//
// It is a module of its own, so that programs without gRPC do not have it in the module
// graph.
package grpcauth
