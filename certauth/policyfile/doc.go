// Package policyfile reads a certauth.Config from a JSON document, for operators who own who may
// call: they review it, roll it out, and change it while the service runs.
//
//	auth, err := policyfile.Open("policy.json", certauth.Config{Logger: slog.Default()})
//	...
//	server := &http.Server{Handler: auth.Handler(mux), ConnContext: certauth.ConnContext}
//
// # The document
//
// It says what the Go values say, one to one: an object with one member stands for a value, its
// member for the type, and what is in that for the fields. Names begin with a small letter. So
//
//	certauth.All{certauth.Chain{Roots: certauth.PEMFile("a.pem")}, certauth.DNSNames{"a.example"}}
//
// is
//
//	{"all": [{"chain": {"roots": {"pemFile": "a.pem"}}}, {"dnsNames": ["a.example"]}]}
//
// Durations are "90s", "1h30m" or "10d". Certificates, pins and secrets are references: a file,
// whose name counts from the document, a directory, an environment variable. Names of partners
// are scoped to their own CA by the shape of the tree:
//
//	{"any": [
//	  {"named": {"name": "a", "policy": {"all": [{"chain": {"roots": {"pemFile": "a.pem"}}}, {"dnsNames": ["orders.a.example"]}]}}},
//	  {"named": {"name": "b", "policy": {"all": [{"chain": {"roots": {"pemFile": "b.pem"}}}, {"dnsNames": ["orders.b.example"]}]}}}
//	]}
//
// Here the CA of partner A can vouch for names of partner A only.
//
// Revocation checks stand under "revocation" by a name that {"notRevoked": {"checker": NAME}} uses.
// What is code (PolicyFunc, CertFunc, a Store, hooks) has no place in a document.
//
// # Strictness
//
// Unknown members, another spelling or letter case, a member that stands twice, empty lists,
// null, and text behind the document are mistakes, each with line, column and path. So is what
// reads otherwise than it acts: a number or duration of 0, which the Go value takes for its
// default ("maxDepth": 0 would allow five), and characters that a reader does not see, unless they are written
// as escapes. The first hundred are reported at once. [Schema] is the JSON Schema of the same table, for editors.
//
// # Cases
//
// A document holds its own tests under "cases": what somebody presents, at which moment, and what
// must become of it. A document of which a case fails is never put in use. See [Case].
package policyfile
