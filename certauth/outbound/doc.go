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
// A connection never goes on without the certificate when a server asked for one: if there is none to present, because it
// has expired or the server takes no signature of its key, the connection fails with an [*Error]. crypto/tls alone would
// send an empty certificate there. (A server that asks for nothing gets nothing, and that is no error: an exclusion path
// of App Service asks later, see Config.RenegotiateOnce.)
//
// [Open] fails unless a usable certificate is there. Later loads run in one goroutine of their own; if one fails, the
// loaded certificate stays in use and the failure is reported. A new certificate counts for the next connection. A [Certificate.Transport] also moves
// to new connections at once, HTTP/2 included: requests that are under way end on the old ones, which are then closed.
// Connections made through a TLSConfig live as long as their owner keeps them; give pools a maximal lifetime.
//
// Servers are verified by their chain, name and dates as always, for resumed sessions too. Sessions are only resumed with
// the certificate that began them.
//
// Key material is in no error, event, log record or printed value.
//
// # Renewals
//
// When the old and the new certificate are both there, the one with the latest NotBefore that is usable now is presented.
// Servers must know both for as long as both can be in use. Uploading to App Service gives a new thumbprint:
// WEBSITE_LOAD_CERTIFICATES must name it too, or "*", and the application is restarted. A certificate that App Service
// imports from Key Vault is synchronized within 24 hours. With [Fetch] the application asks Key Vault itself.
//
// # Limits
//
// A file, variable or secret has at most 1 MiB, a folder 256 files, a source 1024 certificates. A PKCS#12 file may demand
// 600 000 iterations for one key derivation and about as much work in all as three of them; one encrypted part of it has
// at most 256 KiB; keys may not be inside the encrypted part that holds the certificates, where no program puts them.
package outbound
