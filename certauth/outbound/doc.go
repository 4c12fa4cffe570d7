// Package outbound manages the client certificate of an application: it loads the certificate from the platform's store,
// presents it to the servers that the application calls, replaces it after a renewal without interrupting traffic, and
// reports when it is about to expire or when a server refuses it. It does not deal with inbound certificates.
//
//	own, err := outbound.Open(ctx, outbound.Config{
//		Source: outbound.AppService{},
//		Select: outbound.Select{Subject: "CN=orders,O=Contoso"},
//		Logger: slog.Default(),
//	})
//	...
//	transport, err := own.Transport(nil) // for an http.Client
//	config := own.TLSConfig("")          // for gRPC, databases and anything else that takes a tls.Config
//
// # Guarantees
//
// If a server requests a certificate, the connection never continues without one: if there is none to present, because it
// has expired or the server accepts no signature of its key, the connection fails with an [*Error]. crypto/tls alone would
// send an empty certificate. (A server that does not request a certificate gets none, which is no error. A server may also
// request it after the handshake, see Config.RenegotiateOnce.)
//
// [Open] fails unless it finds a usable certificate: one that has its private key, is valid now, is allowed for client
// authentication and signatures, is not a CA certificate, and has a key of a permitted size. Later loads run in one
// background goroutine. If a load fails, the loaded certificate stays in use and the failure is reported.
//
// After a load has found a new certificate, the next connection uses it. A [Certificate.Transport] also moves to new
// connections at once, HTTP/2 included: requests in progress finish on the old connections, which are then closed.
// Connections made through a TLSConfig live as long as their owner keeps them; give connection pools a maximum lifetime.
//
// Servers are verified as usual, by chain, name and dates, and also on resumed sessions. A session is resumed only with
// the certificate with which it began.
//
// No error, event, log record or printed value contains key material.
//
// # Renewals
//
// If the source holds several usable certificates, the one with the latest NotBefore is presented. Servers must accept
// both the old and the new certificate for as long as both can be in use. A certificate uploaded to App Service has a new
// thumbprint: WEBSITE_LOAD_CERTIFICATES must name it too, or be "*", and the application must be restarted. App Service
// synchronizes a certificate imported from Key Vault within 24 hours. With [Fetch] the application asks Key Vault itself.
//
// # Limits
//
// A file, variable or secret may have 1 MiB, a folder 256 files, a source 1024 certificates, a private key 8 KiB in DER.
// Anything larger is refused. A CA certificate with an RSA key above 16384 bits is not presented, and is refused as a root.
// A PKCS#12 file may require up to 600 000 iterations for one key derivation, and about three times that work in total.
// An encrypted part of it may have 256 KiB, and keys must not be inside the encrypted part that holds the certificates;
// no known program puts them there.
package outbound
