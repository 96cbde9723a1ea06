// Asks for upgrades: one message for each customer.
//
// usage: node send.mjs CUSTOMER_ID...
// needs: npm install; the role Azure Service Bus Data Sender on the queue
import { DefaultAzureCredential } from "@azure/identity";
import { ServiceBusClient } from "@azure/service-bus";

// Of the deployment, signed in as you are; or of the local cloud, whose connection string holds no secret.
const { SERVICE_BUS_CONNECTION_STRING: local, SERVICE_BUS_NAMESPACE: namespace, UPGRADE_QUEUE = "upgrades" } = process.env;
const bus = local ? new ServiceBusClient(local) : new ServiceBusClient(namespace, new DefaultAzureCredential());

function message(customerId) {
  // The same request id in every run: to send it again after a failure changes nothing.
  const body = { customerId, productFamily: "Azure", requestId: `wave-1/${customerId}` };
  return { body, contentType: "application/json" };
}

try {
  // An array goes as one batch; `createMessageBatch` says when one of thousands is full.
  await bus.createSender(UPGRADE_QUEUE).sendMessages(process.argv.slice(2).map(message));
} finally {
  await bus.close();
}
