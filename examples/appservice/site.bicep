// A site that asks every caller for a client certificate, and hands it to the service.
// site.json is the same in ARM JSON.

@description('Name of the site; it becomes NAME.azurewebsites.net.')
param name string

@description('The container image, such as registry.example/orders:1.')
param image string

param location string = resourceGroup().location

// Outbound: what the service may reach. OCSP and CRL of public and partners' CAs are plain HTTP,
// on purpose: port 80 has to be open to the addresses in the certificates.
resource outbound 'Microsoft.Network/networkSecurityGroups@2024-05-01' = {
  name: '${name}-outbound'
  location: location
  properties: {
    securityRules: [
      {
        name: 'AllowRevocation'
        properties: {
          priority: 100
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: 'Internet'
          destinationPortRanges: [
            '80'
            '443'
          ]
        }
      }
    ]
  }
}

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = {
  name: '${name}-network'
  location: location
  properties: {
    addressSpace: {
      addressPrefixes: [
        '10.0.0.0/24'
      ]
    }
    subnets: [
      {
        name: 'site'
        properties: {
          addressPrefix: '10.0.0.0/26'
          networkSecurityGroup: {
            id: outbound.id
          }
          delegations: [
            {
              name: 'site'
              properties: {
                serviceName: 'Microsoft.Web/serverFarms'
              }
            }
          ]
        }
      }
    ]
  }
}

// Client certificates need Basic or above.
resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: '${name}-plan'
  location: location
  kind: 'linux'
  sku: {
    name: 'B1'
  }
  properties: {
    reserved: true
  }
}

resource site 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  kind: 'app,linux,container'
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientCertEnabled: true
    clientCertMode: 'Required'
    clientCertExclusionPaths: ''
    virtualNetworkSubnetId: network.properties.subnets[0].id
    siteConfig: {
      linuxFxVersion: 'DOCKER|${image}'
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ftpsState: 'Disabled'
      http20Enabled: true
      alwaysOn: true
      vnetRouteAllEnabled: true
      healthCheckPath: '/health'
      appSettings: [
        {
          name: 'WEBSITES_PORT'
          value: '8080'
        }
      ]
    }
  }
}
