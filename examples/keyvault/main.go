// Command keyvault calls a partner with a certificate that it reads from Azure Key Vault itself,
// so that a renewal needs neither a restart nor a deployment. The app's managed identity needs
// the role Key Vault Secrets User.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"github.com/seed2886b8ae/go-certauth/certauth/outbound"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	identity, err := azidentity.NewManagedIdentityCredential(nil)
	if err != nil {
		return err
	}
	vault, err := azsecrets.NewClient(os.Getenv("VAULT_URL"), identity, nil) // https://<name>.vault.azure.net
	if err != nil {
		return err
	}
	own, err := outbound.Open(ctx, outbound.Config{
		Source: fromKeyVault(vault, os.Getenv("CERTIFICATE_NAME")),
		Logger: slog.Default(),
	})
	if err != nil {
		return err
	}
	defer func() { _ = own.Close() }()
	transport, err := own.Transport(nil)
	if err != nil {
		return err
	}
	partner := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	return callEveryMinute(ctx, partner, os.Getenv("PARTNER_URL"))
}

// fromKeyVault reads the newest version of a certificate. Key Vault returns it with its key as
// the secret of the same name, in base64 of PKCS#12 or in PEM, and names the format. The client
// waits and retries if it is throttled.
func fromKeyVault(vault *azsecrets.Client, name string) outbound.Fetch {
	return func(ctx context.Context) (string, []byte, error) {
		secret, err := vault.GetSecret(ctx, name, "", nil)
		if err != nil {
			return "", nil, err
		}
		if secret.Value == nil || secret.ContentType == nil {
			return "", nil, errors.New("the secret has no value or no content type: is it a certificate's?")
		}
		return *secret.ContentType, []byte(*secret.Value), nil
	}
}

func callEveryMinute(ctx context.Context, partner *http.Client, url string) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		if response, err := partner.Do(request); err != nil {
			fmt.Println(err)
		} else {
			fmt.Println(response.Status)
			_ = response.Body.Close()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
