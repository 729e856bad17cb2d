import { conformance } from "./conformance.ts";
import { ACCOUNT, BUCKET, MACHINE, OPERATOR, REGION, runEndpoint, SIGNING_KEY, TOPIC } from "./running.ts";

conformance("the local endpoint answers as AWS does", async () => {
  const running = await runEndpoint();
  return {
    region: REGION,
    account: ACCOUNT,
    endpoint: running.url,
    credentials: OPERATOR,
    bucket: BUCKET,
    topicArn: TOPIC,
    stateMachineArn: MACHINE,
    signingKeyArn: SIGNING_KEY,
    close: running.stop,
  };
});
