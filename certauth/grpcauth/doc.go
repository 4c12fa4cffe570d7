// Package grpcauth puts a [certauth.Authenticator] in front of the calls of a gRPC server.
//
// If the server itself terminates TLS, use the source [certauth.TLS]: the identity comes from
// the handshake. Behind a front end that terminates TLS and forwards the certificate as
// metadata, use a preset of package forwarded. Any client can write metadata, so the preset
// needs a gate that gRPC can satisfy: forwarded.ProxyCertificate, which checks the front end's
// own certificate in the handshake; forwarded.SharedSecret, which checks metadata; or, if
// [Credentials] wraps the server's credentials, forwarded.Peers or UnixSocket. Without
// Credentials the socket is not known, and Peers and UnixSocket refuse every call. In nginx the lines
// of the preset are grpc_set_header instead of proxy_set_header.
//
//	server := grpc.NewServer(
//		grpc.Creds(grpcauth.Credentials(creds)),
//		grpc.ChainUnaryInterceptor(grpcauth.UnaryServerInterceptor(auth)),
//		grpc.ChainStreamInterceptor(grpcauth.StreamServerInterceptor(auth)),
//	)
//
// Install both interceptors, before all others. A stream is checked only when it begins: end it
// when the certificate expires, see Identity.Remaining. Handlers find the caller with
// certauth.FromContext; the metadata that the source reads is removed from their context. For
// methods that demand more, use certauth.Named in the policy and check Identity.Matched.
//
// grpc-gateway turns headers of its HTTP clients into metadata: "Grpc-Metadata-X" becomes the
// metadata "x". A gate must therefore never admit a gateway. A gate on the loopback address
// does admit a gateway in the same pod; put an Authenticator in front of the gateway's own
// handler instead. Handlers made by its Register...HandlerServer functions run no interceptor
// at all.
//
// A refused call gets the status UNAUTHENTICATED, with the same text for every reason. In
// Config.Exclusions the path is the full method name, and Method must be set, because its
// default is GET:
//
//	certauth.Exclusion{
//		Method: "POST", Path: "/grpc.health.v1.Health/Check",
//		Reason: "the platform's probe has no certificate", Control: "returns no data",
//	}
//
// The package is a separate module, so that programs without gRPC do not have gRPC in their
// module graph.
package grpcauth
