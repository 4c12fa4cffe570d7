// Package policyfile reads a certauth.Config from a JSON document, for operators who decide which
// callers are accepted. They can review the document, roll it out, and change it while the service
// runs.
//
//	auth, err := policyfile.Open("policy.json", certauth.Config{Logger: slog.Default()})
//	...
//	server := &http.Server{Addr: ":8080", Handler: mux}
//	err = auth.ConfigureServer(server)
//
// The functions of ginauth, grpcauth and fiberauth take this Authenticator too.
//
// # The document
//
// The document corresponds to the Go values one to one. An object with one member represents a
// value: the member's name is the type, and the member's value holds the fields. Names begin with a
// lower-case letter. So
//
//	certauth.All{certauth.Chain{Roots: certauth.PEMFile("a.pem")}, certauth.DNSNames{"a.example"}}
//
// is
//
//	{"all": [{"chain": {"roots": {"pemFile": "a.pem"}}}, {"dnsNames": ["a.example"]}]}
//
// Durations are written as "90s", "1h30m" or "10d". Certificates, pins and secrets are references:
// a file, whose name is relative to the document's folder, a directory, or an environment variable.
// The shape of the tree ties the names of a partner to the partner's own CA:
//
//	{"any": [
//	  {"named": {"name": "a", "policy": {"all": [{"chain": {"roots": {"pemFile": "a.pem"}}}, {"dnsNames": ["orders.a.example"]}]}}},
//	  {"named": {"name": "b", "policy": {"all": [{"chain": {"roots": {"pemFile": "b.pem"}}}, {"dnsNames": ["orders.b.example"]}]}}}
//	]}
//
// Here the CA of partner A can vouch for names of partner A only.
//
// Revocation checks are defined under "revocation", each with a name to which
// {"notRevoked": {"checker": NAME}} refers. A document cannot contain code (PolicyFunc, CertFunc, a
// Store, hooks).
//
// # Strictness
//
// Unknown members, another spelling or letter case, a member that occurs twice, empty lists, null,
// and text after the document are mistakes. So are values that are easily misread: a number or
// duration of 0, or an empty text, which the Go value replaces by its default ("maxDepth": 0 would
// allow five, "verifyValue": "" would require none), and invisible characters, unless they are
// written as escapes. The first hundred mistakes are reported
// at once, each with line, column and path. [Schema] returns the JSON Schema, for editors.
//
// # Cases
//
// A document contains its own tests under "cases": what a caller presents, at which time, and the
// expected outcome. A document with a failing case never comes into use. See [Case].
package policyfile
