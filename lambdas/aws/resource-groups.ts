import { ListGroupResourcesCommand, NotFoundException, ResourceGroupsClient } from "@aws-sdk/client-resource-groups";

/** Resource groups. */
export class ResourceGroups {
  readonly #groups = new ResourceGroupsClient({});

  /** Ids of the EC2 and managed instances in a group. @param group name or ARN @throws Error when there is no such group */
  async instancesOf(group: string): Promise<string[]> {
    const ids: string[] = [];
    let NextToken: string | undefined;
    do {
      const page = await this.#page(group, NextToken);
      const arns = (page.Resources ?? []).map(({ Identifier }) => Identifier?.ResourceArn ?? "");
      ids.push(...arns.flatMap((arn) => /:(?:managed-)?instance\/([a-z0-9-]+)$/.exec(arn)?.[1] ?? []));
      NextToken = page.NextToken;
    } while (NextToken !== undefined);
    return ids;
  }

  async #page(Group: string, NextToken: string | undefined) {
    try {
      return await this.#groups.send(new ListGroupResourcesCommand({ Group, MaxResults: 50, NextToken }));
    } catch (cause) {
      if (!(cause instanceof NotFoundException)) throw cause;
      throw new Error(
        `resource group ${Group}: there is none of that name in this Region: see targets of the request`,
        {
          cause,
        },
      );
    }
  }
}
